import path from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { momentSchema } from '../../core/moment-schema.ts';
import { parseRestoreFields } from '../../core/service-settings.ts';

const schema = z.strictObject({
  /** Absolute path of the file to restore to. */
  target: z
    .string()
    .refine((value) => path.isAbsolute(value), 'must be an absolute path')
    .refine((value) => !value.endsWith('/'), 'must name a file, not a folder')
    .optional(),
  /** Restore to where the database was when it was backed up. */
  inPlace: z.boolean().default(false),
  conflict: z.enum(['fail', 'overwrite']).default('fail'),
  dryRun: z.boolean().default(false),
  /** The moment (RFC 3339) that the log is to lead to from the backup on. */
  at: momentSchema('must be a time by RFC 3339 such as 2026-01-31T12:30:00Z').optional(),
});

export type RestoreOptions = z.infer<typeof schema>;

/** @throws HoldfastError `options-invalid` naming the option, `restore-target-missing` (invalid) */
export function parseRestoreOptions(options: unknown): RestoreOptions {
  const data = parseRestoreFields(schema, options ?? {}, 'There are `target`, `inPlace`, `conflict` and `dryRun`.');
  if ((data.target === undefined) !== data.inPlace) {
    throw new HoldfastError(
      'invalid',
      'restore-target-missing',
      'Say where to restore to: either `target`, the path of a database file, or `inPlace: true` for the place that it came from. Its bytes alone are at the backup’s `content`.',
    );
  }
  return data;
}
