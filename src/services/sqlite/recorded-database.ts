import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';

const schema = z.looseObject({
  path: z.string(),
  mode: z.number().int(),
  uid: z.number().int(),
  gid: z.number().int(),
  pageSize: z.number().int(),
  pageCount: z.number().int(),
  userVersion: z.number().int(),
  /** No later commit is in the backup. */
  snapshotAt: z.string().optional(),
  tables: z.array(z.object({ name: z.string(), rows: z.number().int().optional() })),
});

/** What a backup says of the database that it holds. */
export type RecordedDatabase = z.infer<typeof schema>;

/** @throws HoldfastError `backup-malformed` (damaged) */
export function recordedDatabase(serviceData: Readonly<Record<string, unknown>>, backupId: string): RecordedDatabase {
  const parsed = schema.safeParse(serviceData);
  if (parsed.success) return parsed.data;
  throw new HoldfastError(
    'damaged',
    'backup-malformed',
    `The backup ${backupId} does not say what database it holds (${parsed.error.issues[0]?.path.join('.')}). Its bytes can still be fetched from its \`content\`.`,
  );
}
