import { earlierContent } from '../../core/earlier-content.ts';
import { HoldfastError } from '../../core/errors.ts';
import { inParallel } from '../../core/parallel-work.ts';
import type { StoredStream } from '../../core/ports/repository.ts';
import type { BackupContext } from '../../core/ports/service.ts';
import type { ClientTools } from './client-tools.ts';
import type { PostgresqlConfiguration } from './configuration.ts';
import type { Connection } from './connection.ts';
import { dumpPath, type StoredDatabase } from './contents.ts';
import { findCopiedTables } from './copied-tables.ts';
import { openCopyingSessions } from './copying-sessions.ts';
import {
  chosenTables,
  countLargeObjects,
  isStandby,
  type ListedTable,
  listTables,
  readProperties,
  unreadableTables,
  withoutData,
} from './database-facts.ts';
import { dumpPieces } from './dump-pieces.ts';
import { parseTableName, toolPattern, toolTablePattern } from './name-pattern.ts';
import { RowCounts } from './row-counts.ts';
import { Session } from './session.ts';
import { toolFailure, toolMessages, unreadableMessage } from './tool-failure.ts';
import { ToolPipe } from './tool-pipe.ts';
import { startTool, type ToolProcess, writingLongPieces } from './tool-process.ts';

export interface DumpContext {
  configuration: PostgresqlConfiguration;
  connection: Connection;
  tools: ClientTools;
  serverMajor: number;
  writer: BackupContext['writer'];
  earlier: BackupContext['earlier'];
  /** Sessions that read rows of large tables at once. */
  readers: number;
  /** Databases that are dumped at once. */
  databases: number;
  warn(message: string): void;
  /** Told of bytes as they come. */
  onBytes(database: string, bytes: number): void;
}

export interface DatabaseDump {
  database: StoredDatabase;
  stream: StoredStream;
}

const MOST_NAMED = 20;

/**
 * Counting takes a fraction of the time of dumping, beside which it runs: helped by parallel workers or a compiler it only costs the server more. And nobody's view is run in place of
 * a table, as with pg_dump. By name, as not every server has all.
 */
const SETTINGS = `SELECT set_config(name, wanted.value, true) FROM pg_settings JOIN (VALUES
    ('max_parallel_workers_per_gather', '0'), ('jit', 'off'), ('restrict_nonsystem_relation_kind', 'view, foreign-table')
  ) AS wanted (parameter, value) ON parameter = name`;

/**
 * Dumps one database and counts its rows in one and the same snapshot, which a transaction of ours holds open.
 *
 * @throws HoldfastError `postgresql-unreadable` (denied) with all that the role cannot read, and those of tools and queries
 */
export async function dumpDatabase(name: string, context: DumpContext, signal: AbortSignal): Promise<DatabaseDump> {
  const session = await Session.open(context.connection, name, signal);
  try {
    await session.run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // Asking for a table's size waits for its lock too.
    await session.run(`SET LOCAL lock_timeout = '${context.configuration.lockTimeoutSeconds}s'`);
    await session.run(SETTINGS);
    const { snapshot } = await session.row<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
    const properties = await readProperties(session, context.serverMajor);
    const tables = chosenTables(await listTables(session), context.configuration);
    await refuseUnreadable(session, name, tables, context);
    const withRows = await tablesWithRows(session, name, tables, context);
    const copied = await findCopiedTables(session, withRows, properties, context);
    const counts = new RowCounts();
    const counted = withRows.filter((table) => !copied.some((each) => each.table === table));
    let stream: StoredStream | undefined;
    let largeObjects = 0;
    const close = () => void session.close();
    await inParallel([0, 1], { most: 2, signal }, async (which, ending) => {
      ending.addEventListener('abort', close, { once: true });
      if (which === 0) {
        const pieces = dumpPieces({
          copied,
          openCopying: () =>
            openCopyingSessions(
              copied,
              {
                ...{ connection: context.connection, database: name, snapshot, databases: context.databases },
                lockTimeoutSeconds: context.configuration.lockTimeoutSeconds,
              },
              context.readers,
              ending,
            ),
          pgDump: (args) => pgDumpOutput(name, [`--snapshot=${snapshot}`, ...args], context, ending),
          onRows: (table, rows) => counts.set(table, rows),
        });
        stream = await storeDump(name, pieces, context);
      } else {
        await counts.count(session, counted, ending);
        largeObjects = await countStoredLargeObjects(session, context.configuration);
      }
    });
    if (stream === undefined) throw new HoldfastError('internal', 'dump-missing', 'No dump came.');
    // Where pg_dump wrote the rows of these after all.
    await counts.count(session, withRows, signal);
    const dump = { path: dumpPath(name), bytes: stream.length, sha256: stream.sha256 };
    const facts = { tables: tables.map((table) => counts.of(table)), largeObjects };
    return { database: { ...properties, ...facts, partial: isPartial(context.configuration), dump }, stream };
  } finally {
    await session.close();
  }
}

/** Those whose rows will be in the dump: of a standby, pg_dump leaves away what is not in its log. */
async function tablesWithRows(
  session: Session,
  database: string,
  tables: readonly ListedTable[],
  { configuration, warn }: DumpContext,
): Promise<ListedTable[]> {
  const wanted = tables.filter((table) => !withoutData(table, configuration));
  const unlogged = wanted.filter(({ isUnlogged }) => isUnlogged);
  if (unlogged.length === 0 || !(await isStandby(session))) return wanted;
  const names = unlogged.map((table) => `${table.schema}.${table.name}`);
  warn(
    `${database}: this server is a standby, which has no rows of unlogged tables: ${firstOf(names)} ${names.length === 1 ? 'is' : 'are'} backed up without rows. Back up the primary where they matter.`,
  );
  return wanted.filter(({ isUnlogged }) => !isUnlogged);
}

function firstOf(names: readonly string[]): string {
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.slice(0, MOST_NAMED).join(', ')}${more}`;
}

async function refuseUnreadable(
  session: Session,
  database: string,
  tables: readonly ListedTable[],
  { connection }: DumpContext,
): Promise<void> {
  const unreadable = (await unreadableTables(session, tables)).map(({ name, why }) => `${name} (${why})`);
  if (unreadable.length === 0) return;
  const message = unreadableMessage(connection.user, database, firstOf(unreadable));
  const details = { database, objects: unreadable.slice(0, 1000) };
  throw new HoldfastError('denied', 'postgresql-unreadable', message, { details });
}

/** With parts chosen, pg_dump leaves large objects away. */
function countStoredLargeObjects(session: Session, { schemas, tables }: PostgresqlConfiguration): Promise<number> {
  const withLargeObjects = schemas.include.length + tables.include.length === 0;
  return withLargeObjects ? countLargeObjects(session) : Promise.resolve(0);
}

function storeDump(
  name: string,
  pieces: AsyncIterable<Uint8Array>,
  context: Pick<DumpContext, 'writer' | 'earlier' | 'onBytes'>,
): Promise<StoredStream> {
  return context.writer.writeStream(pieces, {
    onBytes: (bytes) => context.onBytes(name, bytes),
    expected: earlierContent(context, async (reader) => {
      const path = dumpPath(name);
      for await (const entry of reader.entries({ paths: [path] })) if (entry.path === path) return entry.content;
      return undefined;
    }),
  });
}

function pgDumpOutput(
  name: string,
  args: readonly string[],
  context: DumpContext,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const all = ['--format=custom', '--compress=0', ...choiceArguments(context.configuration), ...args];
  return toolOutput('pg_dump', all, name, context, signal, true);
}

export interface ToolOutputContext extends Pick<DumpContext, 'connection' | 'tools' | 'warn'> {
  configuration: Pick<PostgresqlConfiguration, 'lockTimeoutSeconds'>;
}

/**
 * What pg_dump or pg_dumpall writes; ends with an error unless the tool ended with 0.
 *
 * @param isDoneAtOnce whether the caller is done with each piece when it asks for the next one, so that its memory can be used again
 */
export async function* toolOutput(
  tool: 'pg_dump' | 'pg_dumpall',
  args: readonly string[],
  database: string,
  { connection, tools, warn, configuration }: ToolOutputContext,
  signal: AbortSignal,
  isDoneAtOnce = false,
): AsyncGenerator<Uint8Array> {
  const wait = `--lock-wait-timeout=${configuration.lockTimeoutSeconds * 1000}`;
  const dumping = await writingLongPieces(tools.program(tool), ['--no-password', wait, ...args]);
  const pipe = isDoneAtOnce ? await ToolPipe.open() : undefined;
  let running: ToolProcess | undefined;
  try {
    running = startTool(dumping.program, dumping.args, {
      environment: connection.toolEnvironment(database),
      signal,
      name: tool,
      ...(pipe === undefined ? {} : { output: pipe.writing }),
    });
    running.stdin.end();
    pipe?.writing.destroy();
    yield* pipe?.pieces() ?? running.stdout;
    const end = await running.ended;
    signal.throwIfAborted();
    if (end.exitCode !== 0) throw toolFailure(end, { tool, database, connection });
    for (const message of toolMessages(end.stderr)) warn(`${database}: ${connection.withoutSecret(message)}`);
  } finally {
    pipe?.close();
    await running?.stop();
  }
}

function choiceArguments({ schemas, tables }: PostgresqlConfiguration): string[] {
  const tableArguments = (option: string, texts: readonly string[]) =>
    texts
      .map(parseTableName)
      .filter((name) => name !== undefined)
      .map((name) => `--${option}=${toolTablePattern(name)}`);
  const included = schemas.include.length + tables.include.length > 0;
  return [
    ...(included ? ['--strict-names'] : []),
    ...schemas.include.map((schema) => `--schema=${toolPattern(schema)}`),
    ...schemas.exclude.map((schema) => `--exclude-schema=${toolPattern(schema)}`),
    ...tableArguments('table', tables.include),
    ...tableArguments('exclude-table', tables.exclude),
    ...tableArguments('exclude-table-data', tables.excludeData),
  ];
}

function isPartial({ schemas, tables }: PostgresqlConfiguration): boolean {
  return [schemas.include, schemas.exclude, tables.include, tables.exclude, tables.excludeData].some(
    (names) => names.length > 0,
  );
}
