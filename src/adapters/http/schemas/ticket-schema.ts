import { z } from 'zod';
import { LONGEST_REASON, MOST_PARTS } from '../../../core/download.ts';
import { VARIANT_NAME } from '../../../core/grant.ts';
import { downloadFormat } from './download-schema.ts';
import { id, line } from './fields.ts';

/** Characters of all names together, as an address could hold: catalogue and audit log keep them. */
const LONGEST_PARTS = 20_000;

const PARTS = z
  .array(line(4096))
  .min(1)
  .max(MOST_PARTS)
  .refine((names) => names.join('').length <= LONGEST_PARTS, `must be at most ${LONGEST_PARTS} characters together`);

/** The same choice as that of a download. */
export const ticketRequest = z.strictObject({
  resource: id.optional().describe('Default: as for `GET /download`.'),
  variant: z
    .string()
    .regex(VARIANT_NAME, 'must be the name of a variant')
    .optional()
    .describe(
      "Default: the first one of the resource's policy that you may have. `raw` has to be named, and needs a `reason`.",
    ),
  reason: line(LONGEST_REASON).optional().describe('What for. The audit log keeps it.'),
  at: line(40).optional().describe('Which one: as for a download. Default: the newest one.'),
  backup: line(500).optional().describe('The id of the very one. Not together with `at`.'),
  format: downloadFormat.optional(),
  mode: z.enum(['create', 'replace']).optional(),
  seal: z.enum(['full', 'none']).optional(),
  tables: PARTS.optional(),
  database: line(200).optional(),
  paths: PARTS.optional(),
});

export const ticketSchema = z
  .strictObject({
    id: z.string().describe('What the audit log calls it.'),
    url: z.string().describe('Where the download is, once. Whoever knows it can have it.'),
    path: z.string().describe('The same without the name of the service: `/t/…`.'),
    command: z.string().describe('What to type to get it.'),
    createdAt: z.string(),
    expiresAt: z.string(),
    resource: z.string(),
    backup: z.string(),
    backupCreatedAt: z.string(),
    variant: z.string(),
    format: downloadFormat,
    mode: z.enum(['create', 'replace']),
    seal: z.enum(['full', 'none']),
    tables: z.array(z.string()).optional(),
    database: z.string().optional(),
    paths: z.array(z.string()).optional(),
  })
  .meta({ id: 'Ticket' });

export type TicketAnswer = z.infer<typeof ticketSchema>;
