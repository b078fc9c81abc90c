import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { HoldfastError } from '../../core/errors.ts';
import type { ChainLink } from '../../core/ports/service.ts';
import { type ClientTools, findClientTools } from './client-tools.ts';
import { inheritedEnvironment } from './connection.ts';
import type { StoredDatabase } from './contents.ts';
import { forOlderServer } from './older-server-sql.ts';
import { StoredBackup } from './stored-backup.ts';
import { type ToolContext, toolFailure } from './tool-failure.ts';
import { startTool, type ToolProcess } from './tool-process.ts';

/**
 * Plain SQL of a backup of one database, as pg_restore makes it of the dump.
 * @throws HoldfastError `postgresql-several-databases` (unsupported); whatever goes wrong ends the stream with an error
 */
export async function* readPlainSql(chain: readonly ChainLink[], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const stored = await StoredBackup.open(chain);
  const [database, ...others] = stored.contents.databases;
  if (database === undefined || others.length > 0) {
    const message = `This backup holds ${stored.contents.databases.length} databases, and plain SQL is given of one. Restore it with POST /restore, or back databases up as resources of their own.`;
    throw new HoldfastError('unsupported', 'postgresql-several-databases', message);
  }
  const tools = await findClientTools(stored.contents.tools.major, stored.binaries);
  yield* restoredSql(storedArchive({ stored, database, tools }), [], signal);
}

/**
 * Plain SQL of a dump as pg_restore makes it, whatever is in the dump's way left out by `args`. Rows come as soon as they are read.
 * @param args of pg_restore, other than where its output goes
 */
export function restoredSql(
  archive: ReadableArchive,
  args: readonly string[],
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  return forOlderServer(archiveOutput([...args, '--file=-'], archive, signal));
}

/** The table of contents, as `pg_restore --list` prints it. */
export async function listArchive(archive: ReadableArchive, signal: AbortSignal): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archiveOutput(['--list'], archive, signal)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString();
}

/** The SQL of definitions (all, if `args` chooses none), without rows; the dump is read no further than its table of contents. */
export async function schemaOf(
  archive: ReadableArchive,
  signal: AbortSignal,
  args: readonly string[] = [],
): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archiveOutput([...args, SCHEMA_ONLY, '--file=-'], archive, signal))
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString();
}

/** With it pg_restore reads no rows, and the dump is read no further than it wants. */
export const SCHEMA_ONLY = '--schema-only';

/** A dump of the custom format that can be read from its beginning, again and again. */
export interface ReadableArchive {
  database: Pick<StoredDatabase, 'name'>;
  tools: ClientTools;
  bytes(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** That of a backup. */
export interface Archive {
  stored: StoredBackup;
  database: StoredDatabase;
  tools: ClientTools;
}

export function storedArchive({ stored, database, tools }: Archive): ReadableArchive {
  return { database, tools, bytes: (signal) => stored.bytes(database.dump, signal) };
}

/** What pg_restore writes that is given the dump and no server. */
async function* archiveOutput(
  args: readonly string[],
  { database, tools, bytes }: ReadableArchive,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const tool = startTool(tools.program('pg_restore'), args, {
    environment: { ...inheritedEnvironment(), LC_ALL: 'C' },
    signal: both,
    name: 'pg_restore',
  });
  const feeding = feed(bytes(both), tool, {
    untilClosed: args.includes('--list') || args.includes(SCHEMA_ONLY),
  });
  feeding.catch(() => ending.abort());
  try {
    yield* tool.stdout;
    await feeding;
    signal.throwIfAborted();
    const end = await tool.ended;
    if (end.exitCode !== 0) throw toolFailure(end, { ...NO_SERVER, database: database.name });
  } finally {
    ending.abort();
    await Promise.allSettled([feeding, tool.stop()]);
  }
}

const NO_SERVER: Omit<ToolContext, 'database'> = {
  tool: 'pg_restore',
  connection: { user: '', place: 'no server', withoutSecret: (text) => text },
};

/**
 * Gives a tool its input. A tool that wants no more is no fault here: how it ended tells. What is left is still
 * verified, unless only the beginning matters.
 */
export async function feed(
  source: AsyncIterable<Uint8Array>,
  tool: ToolProcess,
  options: { untilClosed?: boolean } = {},
): Promise<void> {
  const { stdin } = tool;
  try {
    for await (const piece of source) {
      await write(stdin, piece);
      if (options.untilClosed && stdin.destroyed) return;
    }
    stdin.end();
  } catch (error) {
    await tool.stop();
    throw error;
  }
}

async function write(stdin: Writable, piece: Uint8Array): Promise<void> {
  if (stdin.destroyed || !stdin.writable || stdin.write(piece)) return;
  const waiting = new AbortController();
  const { signal } = waiting;
  // Whichever comes first; the other one must not be waited for any longer.
  await Promise.race([once(stdin, 'drain', { signal }), once(stdin, 'close', { signal })]).catch(() => undefined);
  waiting.abort();
}
