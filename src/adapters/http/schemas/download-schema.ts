import { z } from 'zod';

export const downloadFormat = z.enum(['sql', 'custom', 'sqlite', 'tar', 'zip', 'json', 'bytes']);

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
        state: z.enum(['on-demand']).describe('It is made while it is downloaded.'),
      }),
    ),
    proven: z
      .strictObject({ drillId: z.string(), at: z.string() })
      .nullable()
      .describe('The newest restore drill that passed with this very snapshot.'),
    url: z.string(),
    command: z.string().describe('What to type to get it.'),
  })
  .meta({ id: 'Snapshot' });

export type SnapshotAnswer = z.infer<typeof snapshotSchema>;
