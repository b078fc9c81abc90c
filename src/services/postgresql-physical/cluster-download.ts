import { choiceInvalid, requireChoice } from '../../core/download-choice.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DownloadContext, DownloadMaterial } from '../../core/ports/service-download.ts';
import { SCHEMA_ONLY } from '../postgresql/archive-reading.ts';
import { type ClientTools, findClientTools } from '../postgresql/client-tools.ts';
import { toolOutput } from '../postgresql/database-dump.ts';
import { type ListedTable, listTables } from '../postgresql/database-facts.ts';
import { ALONE, chosenTables, someTables, sqlMaterial } from '../postgresql/download.ts';
import { forOlderServer } from '../postgresql/older-server-sql.ts';
import { findServerPrograms } from '../postgresql/server-programs.ts';
import { quoted, Session } from '../postgresql/session.ts';
import { CLUSTER_FORMATS } from './download-formats.ts';
import { recordedCluster } from './recorded-cluster.ts';
import type { ServerPlaces } from './server-places.ts';
import { ThrowAwayCluster } from './throw-away-cluster.ts';
import type { WalGetCommand } from './wal-get-command.ts';

/**
 * Plain SQL of one database, as pg_dump makes it of a throw-away server that the whole backup is restored into: the first byte comes when all of
 * that is done. Nothing of it begins before the bytes are asked for.
 * @throws HoldfastError `download-choice-invalid` (invalid), `postgresql-server-missing`, `postgresql-tool-missing`, `postgresql-tool-older`
 * (unsupported); with the bytes, those of `ThrowAwayCluster.start` too
 */
export async function downloadCluster(
  context: DownloadContext,
  { walGet, places }: { walGet: WalGetCommand; places: ServerPlaces },
): Promise<DownloadMaterial> {
  const { backup, chain, choice } = context;
  requireChoice(choice, 'a PostgreSQL cluster', CLUSTER_FORMATS, { tables: true, database: true });
  const reader = chain.at(-1)?.reader;
  if (reader === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A download was begun without a backup to restore.');
  const cluster = recordedCluster(reader.record.serviceData, backup.id);
  const recorded = cluster.databases?.map(({ name }) => name).filter((name) => !TEMPLATES.includes(name));
  // What can be told before all is restored.
  if (recorded !== undefined) chosenDatabase(recorded, choice.database);
  const programs = await findServerPrograms(cluster.major, { exactly: true });
  const tools = await findClientTools(cluster.major);
  context.signal.throwIfAborted();
  return sqlMaterial(() =>
    dumpOf(context, tools, (signal) => ThrowAwayCluster.start(context, { cluster, programs, walGet, places, signal })),
  );
}

async function* dumpOf(
  context: DownloadContext,
  tools: ClientTools,
  start: (signal: AbortSignal) => Promise<ThrowAwayCluster>,
): AsyncGenerator<Uint8Array> {
  const { signal } = context;
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const cluster = await start(both);
  // Whoever aborts may never come back for another byte.
  const end = (): void => void cluster.end();
  signal.addEventListener('abort', end, { once: true });
  try {
    const database = chosenDatabase(cluster.databases, context.choice.database);
    yield* databaseSql({ ...context, signal: both }, { cluster, database, tools });
  } finally {
    ending.abort();
    signal.removeEventListener('abort', end);
    await cluster.end();
  }
}

interface Dumped {
  cluster: ThrowAwayCluster;
  database: string;
  tools: ClientTools;
}

/** Without ever waiting: nobody else is there who would give a lock back. */
const CONFIGURATION = { lockTimeoutSeconds: 60 };

async function* databaseSql(context: DownloadContext, dumped: Dumped): AsyncGenerator<Uint8Array> {
  const { choice, signal, warn } = context;
  const { cluster, database, tools } = dumped;
  const tables = await tablesOf(cluster, database, signal);
  const parts = choice.schemaOnly === true ? [SCHEMA_ONLY] : [];
  const output = (args: readonly string[], ends: AbortSignal) =>
    toolOutput(
      'pg_dump',
      args,
      database,
      { connection: cluster.connection, tools, warn, configuration: CONFIGURATION },
      ends,
    );
  if (choice.tables === undefined) {
    yield* forOlderServer(output([...ALONE, ...parts], signal));
    return;
  }
  const selection = chosenTables({ name: database, tables }, choice.tables);
  const others = tables.filter((table) => !selection.tables.includes(table));
  const args = ['--format=custom', '--compress=0', ...withoutRowsOf(others)];
  const archive = { database: { name: database }, tools, bytes: (ends: AbortSignal) => output(args, ends) };
  yield* someTables(archive, { selection, parts }, { signal, warn });
}

/** Transactions that were prepared hold locks, and what they did is in no dump. */
async function tablesOf(cluster: ThrowAwayCluster, database: string, signal: AbortSignal): Promise<ListedTable[]> {
  const session = await Session.open(cluster.connection, database, signal);
  try {
    const prepared = await session.rows<{ statement: string }>(
      `SELECT format('ROLLBACK PREPARED %L', gid) AS statement FROM pg_prepared_xacts WHERE database = current_database()`,
    );
    for (const { statement } of prepared) await session.run(statement);
    return await listTables(session);
  } finally {
    await session.close();
  }
}

/** What a program's arguments may hold is limited; without these, rows are read for nothing. */
const MOST_PATTERNS = 1000;

function withoutRowsOf(tables: readonly ListedTable[]): string[] {
  const patterns = tables.map(({ schema, name }) => `--exclude-table-data=${quoted(schema)}.${quoted(name)}`);
  return ['--no-blobs', ...(patterns.length > MOST_PATTERNS ? [] : patterns)];
}

/** The cluster's maintenance database is meant only where there is no other. */
function chosenDatabase(names: readonly string[], wanted: string | undefined): string {
  const own = names.filter((name) => name !== MAINTENANCE);
  const [only, ...others] = own.length === 0 ? names : own;
  const found = wanted === undefined && others.length === 0 ? only : names.find((name) => name === wanted);
  if (found !== undefined) return found;
  const listed = names.map((name) => `"${name}"`).join(', ');
  const message =
    wanted === undefined
      ? `This backup holds ${names.length} databases, and one is given at a time. Choose one by \`database\`: ${listed}.`
      : `This backup holds no database "${wanted}" that takes connections. It holds ${listed}.`;
  throw choiceInvalid(message, { databases: names });
}

const MAINTENANCE = 'postgres';
const TEMPLATES = ['template0', 'template1'];
