import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { parseRestoreFields } from '../../core/service-settings.ts';
import { connectionSchema } from './connection-schema.ts';
import { parseTableName } from './name-pattern.ts';

const names = z.array(z.string().min(1)).min(1);

const schema = z.strictObject({
  /** Which of the backup's databases; default all. */
  databases: names.optional(),
  /** Another name for the one database that is restored. */
  targetDatabase: z.string().min(1).optional(),
  /** What to do where the target holds something: stop, replace what the backup has, or replace the whole database. */
  onExisting: z.enum(['fail', 'clean', 'drop']).default('fail'),
  schemas: names.optional(),
  tables: z
    .array(z.string().refine((text) => parseTableName(text) !== undefined, 'must be `schema.table`'))
    .min(1)
    .optional(),
  schemaOnly: z.boolean().default(false),
  dataOnly: z.boolean().default(false),
  /** Roles and tablespaces that the target lacks. */
  globals: z.boolean().default(false),
  owners: z.boolean().default(true),
  privileges: z.boolean().default(true),
  tablespaces: z.boolean().default(true),
  /** Tables that are filled at once, in databases that the restore makes. */
  jobs: z.int().min(1).max(32).default(1),
  /** Another server than the resource's. */
  connection: connectionSchema.optional(),
  dryRun: z.boolean().default(false),
});

export type RestoreOptions = z.infer<typeof schema>;

/** @throws HoldfastError `options-invalid` (invalid) naming the field */
export function parseRestoreOptions(options: unknown): RestoreOptions {
  const data = parseRestoreFields(schema, options ?? {}, 'See docs/postgresql.md.');
  if (data.schemaOnly && data.dataOnly) throw invalid('`schemaOnly` and `dataOnly` exclude each other: choose one.');
  if (data.dataOnly && data.onExisting !== 'fail')
    throw invalid('`dataOnly` fills empty tables and replaces nothing: empty them first, and leave `onExisting` away.');
  if (data.onExisting === 'drop' && isSelection(data))
    throw invalid('`drop` would lose what is not chosen by `schemas` and `tables`: use `onExisting: clean`.');
  return data;
}

export function isSelection({ schemas, tables }: Pick<RestoreOptions, 'schemas' | 'tables'>): boolean {
  return schemas !== undefined || tables !== undefined;
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('invalid', 'options-invalid', message);
}
