import { z } from 'zod';
import { VARIANT_NAME } from '../../../core/grant.ts';
import { downloadFormat } from './download-schema.ts';
import { id, line } from './fields.ts';

export const variantPath = z.strictObject({
  id,
  snapshotId: line(500).describe('As `GET /snapshots` lists it.'),
  variant: z.string().regex(VARIANT_NAME, 'must be the name of a variant'),
});

export const newVariantPath = variantPath.extend({
  snapshotId: line(500).describe('As `GET /snapshots` lists it, or `latest`.'),
});

const keptVariant = z.strictObject({
  id: z.string(),
  snapshotId: z.string(),
  variant: z.string(),
  format: downloadFormat,
  database: z.string().optional(),
  size: z.number().describe('Bytes, unsealed.'),
  checksum: z.string(),
  createdAt: z.string(),
  policyHash: z.string(),
  epoch: z.string().describe('Of the key.'),
  isCurrent: z
    .boolean()
    .describe('False: made by another policy or key than those of today; the next clean-up removes it.'),
  tables: z.array(z.object({ name: z.string(), rowsIn: z.number(), rowsOut: z.number() })),
});

/** What is kept of a resource's variants, and what cannot be made. */
export const variantOverviewSchema = z
  .strictObject({
    declared: z.array(
      z.strictObject({
        name: z.string(),
        kind: z.enum(['masked', 'reduced']),
        produce: z.enum(['ahead', 'keys-ahead', 'on-demand']),
        verifiesByLoading: z.boolean(),
        isKept: z.boolean().describe('False: it is made while it is downloaded.'),
        fault: z.string().optional(),
      }),
    ),
    kept: z.array(keptVariant).describe('Newest first.'),
    blocked: z.array(
      z.strictObject({
        snapshotId: z.string(),
        variant: z.string(),
        code: z.string(),
        message: z.string(),
        problems: z.array(z.unknown()),
        createdAt: z.string(),
      }),
    ),
  })
  .meta({ id: 'Variants' });

export type VariantOverviewAnswer = z.infer<typeof variantOverviewSchema>;
