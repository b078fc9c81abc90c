import { z } from 'zod';
import { DOWNLOAD_FORMATS } from '../../../core/download-format.ts';

export const downloadFormat = z.enum(DOWNLOAD_FORMATS);

/** A snapshot that can be downloaded, as `GET /snapshots` lists it. */
export const snapshotSchema = z
  .strictObject({
    id: z.string().describe('For `?backup=`.'),
    resource: z.string(),
    resourceType: z.string(),
    origin: z.enum(['repository', 'external']).describe('`external`: another tool made it and keeps it.'),
    createdAt: z.string(),
    completedAt: z.string(),
    size: z.number().nullable().describe('Bytes of its whole content; null where that is not known before it is made.'),
    formats: z.array(downloadFormat).describe('What downloads of it can be, the default one first.'),
    variants: z.array(
      z.strictObject({
        name: z.string(),
        state: z
          .enum(['ready', 'on-demand', 'building', 'blocked'])
          .describe(
            '`ready`: it was made and is kept; `on-demand`: it is made when somebody downloads it; `building`: it is being made; `blocked`: it cannot be made, see `reason`.',
          ),
        reason: z.string().optional().describe('Names tables, columns and rules, and no data.'),
        size: z.number().optional().describe('Bytes of what is kept, unsealed.'),
        url: z.string().describe('Where this very one is.'),
        sha256: z.string().optional().describe('Of what is kept, unsealed.'),
      }),
    ),
    defaultVariant: z
      .string()
      .nullable()
      .describe('Which one is given where none is named; null where one has to be named.'),
    proven: z
      .strictObject({ drillId: z.string(), at: z.string() })
      .nullable()
      .describe('The newest restore drill that passed with this very snapshot.'),
    url: z.string(),
    command: z.string().describe('What to type to get it.'),
  })
  .meta({ id: 'Snapshot' });

export type SnapshotAnswer = z.infer<typeof snapshotSchema>;
