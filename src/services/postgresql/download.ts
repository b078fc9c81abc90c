import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { choiceInvalid, requireChoice } from '../../core/download-choice.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DownloadContext, DownloadMaterial } from '../../core/ports/service-download.ts';
import { type ReadableArchive, restoredSql, SCHEMA_ONLY, storedArchive } from './archive-reading.ts';
import { printedName, type Selection, selectionOf } from './archive-selection.ts';
import { findClientTools } from './client-tools.ts';
import type { StoredDatabase } from './contents.ts';
import { POSTGRESQL_FORMATS } from './download-formats.ts';
import { StoredBackup } from './stored-backup.ts';
import { tableLines } from './table-lines.ts';

/**
 * What a developer's own database has none of: owners, privileges, tablespaces; and what must not reach out of it: subscriptions
 * and publications.
 */
export const ALONE = [
  '--no-owner',
  '--no-privileges',
  '--no-tablespaces',
  '--no-security-labels',
  '--no-publications',
  '--no-subscriptions',
];

/**
 * Plain SQL as pg_restore makes it of the dump while it reads it, or the dump itself.
 * @throws HoldfastError `download-choice-invalid` (invalid), `postgresql-tool-missing`, `postgresql-tool-older` (unsupported)
 */
export async function downloadPostgresql({ chain, choice, signal, warn }: DownloadContext): Promise<DownloadMaterial> {
  const isSql = choice.format === 'sql';
  requireChoice(choice, 'a PostgreSQL backup', POSTGRESQL_FORMATS, { tables: true, database: true });
  const stored = await StoredBackup.open(chain);
  const database = chosenDatabase(stored, choice.database);
  if (!isSql) {
    if (choice.tables !== undefined) throw wholeArchive();
    const what = { format: 'custom', mediaType: 'application/octet-stream', fileExtension: '.dump', signal } as const;
    return stored.download(database.dump, what);
  }
  const tools = await findClientTools(stored.contents.tools.major, stored.binaries);
  const archive = storedArchive({ stored, database, tools });
  const selection = choice.tables === undefined ? undefined : chosenTables(database, choice.tables);
  // Keys and constraints are definitions too.
  const parts = choice.schemaOnly === true ? [SCHEMA_ONLY] : [];
  signal.throwIfAborted();
  if (selection !== undefined) return sqlMaterial(() => someTables(archive, { selection, parts }, { signal, warn }));
  return {
    ...sqlMaterial(() => restoredSql(archive, [...ALONE, ...parts], signal)),
    archive: {
      bytes: () => archive.bytes(signal),
      sqlOf: (change) => {
        const bytes = (both: AbortSignal) => change(stored.archiveBytes(database.dump, both));
        return restoredSql({ ...archive, bytes }, [...ALONE, ...parts], signal);
      },
    },
  };
}

/** SQL as PostgreSQL's own programs write it. */
export function sqlMaterial(bytes: () => AsyncIterable<Uint8Array>): DownloadMaterial {
  return {
    format: 'sql',
    dialect: 'postgresql',
    mediaType: 'application/sql; charset=utf-8',
    fileExtension: '.sql',
    // They make a new key for \restrict each time, and another version of them may write other SQL.
    isReproducible: false,
    acceptsRanges: false,
    bytes,
  };
}

/** SQL that makes some tables, and what these need, in an empty database. */
export async function* someTables(
  archive: ReadableArchive,
  { selection, parts }: { selection: Selection; parts: readonly string[] },
  { signal, warn }: Pick<DownloadContext, 'signal' | 'warn'>,
): AsyncGenerator<Uint8Array> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-postgresql-'));
  try {
    const file = path.join(folder, 'list');
    const write = (lines: readonly string[]) => writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    const chosen = [...ALONE, `--use-list=${file}`];
    await write(await tableLines(archive, selection, { write, args: chosen, signal, warn }));
    yield* restoredSql(archive, [...chosen, ...parts], signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function chosenDatabase({ contents: { databases } }: StoredBackup, name: string | undefined): StoredDatabase {
  const names = databases.map((each) => each.name);
  const [only, ...others] = databases;
  const found = name === undefined && others.length === 0 ? only : databases.find((each) => each.name === name);
  if (found !== undefined) return found;
  const listed = names.map((each) => `"${each}"`).join(', ');
  const message =
    name === undefined
      ? `This backup holds ${names.length} databases, and one is given at a time. Choose one by \`database\`: ${listed}.`
      : `This backup holds no database "${name}". It holds ${listed}.`;
  throw choiceInvalid(message, { databases: names });
}

/** What is known of a database whose tables are chosen. */
export type NamedTables = Pick<StoredDatabase, 'name' | 'tables'>;

/**
 * A name without a schema means the one table of that name; where several schemas have it, the one in `public`.
 * @throws HoldfastError `download-choice-invalid` (invalid)
 */
export function chosenTables(database: NamedTables, names: readonly string[]): Selection {
  const full = names.map((name) => {
    const same = database.tables.filter((table) => table.name === name);
    const [found] = same.length === 1 ? same : same.filter(({ schema }) => schema === 'public');
    return found === undefined ? name : quotedName(found);
  });
  const missing = full.filter((name) => !name.includes('.'));
  if (full.length === 0 || missing.length > 0) throw tablesMissing(database, missing);
  try {
    const selection = selectionOf(database, { tables: full });
    if (selection !== undefined) return selection;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'postgresql-not-in-backup') throw error;
    const { missing: notThere } = error.details;
    throw tablesMissing(database, Array.isArray(notThere) ? notThere.map(String) : []);
  }
  throw tablesMissing(database, full);
}

function quotedName({ schema, name }: { schema: string; name: string }): string {
  const quote = (part: string): string => `"${part.replaceAll('"', '""')}"`;
  return `${quote(schema)}.${quote(name)}`;
}

const NAMES_TOLD = 20;

function tablesMissing(database: NamedTables, missing: readonly string[]): HoldfastError {
  const all = database.tables.map(({ schema, name }) => printedName({ schema, table: name }));
  const there = `${all.slice(0, NAMES_TOLD).join(', ')}${all.length > NAMES_TOLD ? ` and ${all.length - NAMES_TOLD} more` : ''}`;
  const which =
    missing.length === 0 ? 'No table was named' : `The database "${database.name}" has no table ${missing.join(', ')}`;
  return choiceInvalid(`${which}. It has ${there || 'none'}.`, { missing });
}

function wholeArchive(): HoldfastError {
  return choiceInvalid(
    'An archive of the custom format is given whole. Choose tables with `format=sql`, or leave them to pg_restore (`pg_restore --table`).',
  );
}
