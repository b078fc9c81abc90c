import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';

/** What `contents.json` of a backup says: all that a restore must know before it reads a dump. */

const table = z.object({
  schema: z.string(),
  name: z.string(),
  /** Counted in the dump's snapshot; absent where the rows were left out. */
  rows: z.number().optional(),
  /** Bytes with indexes and TOAST. */
  bytes: z.number(),
  /** What a restore of this table alone takes along: their names in the same schema. */
  indexes: z.array(z.string()),
  sequences: z.array(z.string()),
  /** The table whose partition it is. */
  partitionOf: z.object({ schema: z.string(), table: z.string() }).nullable(),
  /** Its foreign keys, and the tables that they refer to. */
  references: z.array(z.object({ constraint: z.string(), schema: z.string(), table: z.string() })),
});

const database = z.object({
  name: z.string(),
  /** Bytes of the whole database, as the server says. */
  bytes: z.number(),
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** `c` libc, `i` ICU, `b` built in. */
  localeProvider: z.string(),
  locale: z.string().nullable(),
  owner: z.string(),
  connectionLimit: z.number(),
  comment: z.string().nullable(),
  /** `role` is empty for what holds for all. */
  settings: z.array(z.object({ role: z.string(), name: z.string(), value: z.string() })),
  /** null: the default. `grantee` is empty for PUBLIC. */
  privileges: z.array(z.object({ grantee: z.string(), privilege: z.string(), grantable: z.boolean() })).nullable(),
  largeObjects: z.number(),
  /** Not whole, because the configuration included or excluded something. */
  partial: z.boolean(),
  tables: z.array(table),
  dump: z.object({ path: z.string(), bytes: z.number(), sha256: z.string() }),
});

const contents = z.object({
  format: z.literal(1),
  server: z.object({ version: z.string(), major: z.number() }),
  tools: z.object({ version: z.string(), major: z.number() }),
  globals: z.object({ path: z.string(), bytes: z.number(), sha256: z.string(), rolePasswords: z.boolean() }).optional(),
  databases: z.array(database),
});

export type Contents = z.infer<typeof contents>;
export type StoredDatabase = z.infer<typeof database>;
export type StoredTable = z.infer<typeof table>;

export const CONTENTS_PATH = 'contents.json';
export const GLOBALS_PATH = 'globals.sql';

/** Names of databases may hold any character; names of files in a tree may not. */
export function dumpPath(databaseName: string): string {
  return `databases/${encodeURIComponent(databaseName)}.dump`;
}

/** @throws HoldfastError `postgresql-contents-newer` (unsupported), `postgresql-contents-damaged` (damaged) */
export function parseContents(text: string): Contents {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = contents.safeParse(value);
  if (parsed.success) return parsed.data;
  if (typeof value === 'object' && value !== null && 'format' in value && Number(value.format) > 1) {
    const message = 'This backup was made by a newer Holdfast. Restore it with that version.';
    throw new HoldfastError('unsupported', 'postgresql-contents-newer', message);
  }
  const message =
    'The list of contents of this backup is not readable. Restore an earlier backup, and verify this one.';
  throw new HoldfastError('damaged', 'postgresql-contents-damaged', message);
}
