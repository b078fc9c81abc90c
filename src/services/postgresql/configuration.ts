import { z } from 'zod';
import { parseConfiguration } from '../../core/service-settings.ts';
import { connectionSchema } from './connection-schema.ts';
import { parseTableName } from './name-pattern.ts';

const names = z.array(z.string().min(1));
const tables = z.array(z.string().refine((text) => parseTableName(text) !== undefined, 'must be `schema.table`'));

const schema = z
  .strictObject({
    connection: connectionSchema,
    /** Names of databases, or all that accept connections and are no templates. */
    databases: z.union([z.literal('all'), names.min(1)]),
    /** Roles and tablespaces, as `pg_dumpall --globals-only` writes them. */
    globals: z.boolean().default(false),
    /** Whether the roles' password hashes are among the globals: only a superuser can read them. */
    rolePasswords: z.boolean().default(true),
    /** Databases that are dumped at once. */
    jobs: z.int().min(1).max(32).default(2),
    /** Names in which `*` stands for any characters. */
    schemas: z.strictObject({ include: names.default([]), exclude: names.default([]) }).prefault({}),
    /** `excludeData` keeps a table's definition without its rows. */
    tables: z
      .strictObject({ include: tables.default([]), exclude: tables.default([]), excludeData: tables.default([]) })
      .prefault({}),
    /** Folder of pg_dump, pg_dumpall, pg_restore and psql; looked at before PATH. */
    binaries: z.string().startsWith('/', 'must be an absolute path').optional(),
    /** How long a dump waits for a table that somebody else has locked. */
    lockTimeoutSeconds: z.int().min(1).max(86_400).default(600),
  })
  .check(({ value, issues }) => {
    if (value.tables.include.length === 0) return;
    if (value.schemas.include.length + value.schemas.exclude.length === 0) return;
    const message = 'cannot be combined with `schemas`: name the tables alone';
    issues.push({ code: 'custom', input: value, path: ['tables', 'include'], message });
  });

export type PostgresqlConfiguration = z.infer<typeof schema>;

/** @throws HoldfastError `configuration-invalid` naming the field */
export function parsePostgresqlConfiguration(configuration: unknown): PostgresqlConfiguration {
  return parseConfiguration(schema, configuration, {
    kind: 'postgresql',
    advice: 'It needs `connection` and `databases`; docs/postgresql.md lists the rest.',
  });
}
