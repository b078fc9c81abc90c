import { HoldfastError } from '../../core/errors.ts';
import type { Connection } from './connection.ts';
import type { CopiedTable } from './copied-tables.ts';
import { explainRange } from './row-reads.ts';
import { quotedLiteral, Session } from './session.ts';

export interface SharedSnapshot {
  connection: Connection;
  database: string;
  snapshot: string;
  /** That are read at once. */
  databases: number;
  /** How long a read waits for a lock that nobody foresaw. */
  lockTimeoutSeconds: number;
}

/**
 * Sessions that see what pg_dump sees and hold locks on these tables. To be opened while pg_dump holds its own, so that they are as it found them.
 *
 * @param most at least one
 * @returns as many as can be had. None can where a table cannot be locked at once: somebody waits for pg_dump to be done with it, and all would wait for one another. And no more
 *   where the server takes no connection more
 */
export async function openCopyingSessions(
  copied: readonly CopiedTable[],
  shared: SharedSnapshot,
  most: number,
  signal: AbortSignal,
): Promise<Session[]> {
  const sessions: Session[] = [];
  const rowsAhead = bytesAhead(most, shared.databases);
  let wanted = most;
  try {
    while (sessions.length < wanted) {
      const session = await openCopyingSession(copied, { ...shared, rowsAhead, isOneOfSeveral: most > 1 }, signal);
      if (session === undefined) break;
      sessions.push(session);
      if (sessions.length === 1 && most > 1) wanted = Math.min(most, 1 + (await countSpare(session, shared.databases)));
    }
    return sessions;
  } catch (error) {
    await Promise.all(sessions.map((session) => session.close()));
    throw error;
  }
}

/** What a session reads before its rows are taken: more than a range of pages has, while those of another are, unless there are many sessions in all. */
export function bytesAhead(sessions: number, databases: number): number {
  return sessions === 1
    ? ONE_AHEAD_BYTES
    : Math.min(MOST_AHEAD_BYTES, Math.floor(ALL_AHEAD_BYTES / (sessions * databases)));
}

const MOST_AHEAD_BYTES = 6 * 1024 * 1024;
const ALL_AHEAD_BYTES = 24 * 1024 * 1024;
const ONE_AHEAD_BYTES = 1024 * 1024;

/** How many connections more a database may take, so that the dump of none lacks what it cannot do without, nor somebody else the last one. */
async function countSpare(session: Session, databases: number): Promise<number> {
  const { free } = await session.row<{ free: number }>(
    `SELECT (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(datid))::int AS free
       FROM pg_stat_activity`,
  );
  return Math.max(0, Math.floor((free - NEEDED_CONNECTIONS * databases) / databases));
}

/** Of one database: to count, of pg_dump, and one to read rows. */
const NEEDED_CONNECTIONS = 3;

interface SessionPart {
  rowsAhead: number;
  isOneOfSeveral: boolean;
}

async function openCopyingSession(
  copied: readonly CopiedTable[],
  { connection, database, snapshot, lockTimeoutSeconds, rowsAhead, isOneOfSeveral }: SharedSnapshot & SessionPart,
  signal: AbortSignal,
): Promise<Session | undefined> {
  let session: Session | undefined;
  try {
    session = await Session.open(connection, database, signal, { rowsAhead });
    await session.run('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await session.run(`SET TRANSACTION SNAPSHOT ${quotedLiteral(snapshot)}`);
    await session.run(COPY_SETTINGS);
    const names = copied.map(({ name }) => `ONLY ${name}`);
    await session.run(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE NOWAIT`);
    if (!(await areThose(session, copied))) {
      await session.close();
      return undefined;
    }
    if (isOneOfSeveral) await lockIndexes(session, copied, lockTimeoutSeconds);
    return session;
  } catch (error) {
    await session?.close();
    if (error instanceof HoldfastError && PG_DUMP_CAN.has(String(error.details.sqlState))) return undefined;
    throw error;
  }
}

/**
 * A query locks the indexes of its table too, to the end of the transaction. Would a session come to one later, somebody who rebuilds it could stand between that one and another of
 * ours: that waits for the first, the first for the others' locks, and the others for rows of the first, which no server sees. So all have these locks from the beginning, or go away.
 */
async function lockIndexes(session: Session, copied: readonly CopiedTable[], lockTimeoutSeconds: number) {
  const explaining = copied.map(explainRange).filter((text) => text !== undefined);
  if (explaining.length === 0) return;
  await session.run(`SET LOCAL lock_timeout = 10; ${explaining.join('; ')}`);
  // Of an index that was made since.
  await session.run(`SET LOCAL lock_timeout = '${lockTimeoutSeconds}s'`);
}

/**
 * Whether these names are still of these tables, which are locked. Somebody can have put a view in place of one before pg_dump locked it, and
 * to read that would run what its owner wrote with our rights. pg_dump knows what to do with it.
 */
async function areThose(session: Session, copied: readonly CopiedTable[]): Promise<boolean> {
  const { same } = await session.row<{ same: boolean }>(
    'SELECT coalesce(bool_and(to_regclass(name) = oid), false) AS same FROM unnest($1::text[], $2::oid[]) AS each (name, oid)',
    [copied.map(({ name }) => name), copied.map(({ table }) => table.oid)],
  );
  return same;
}

/** `lock_not_available`, `too_many_connections`. */
const PG_DUMP_CAN = new Set(['55P03', '53300']);

/** As pg_dump sets them, so that rows are written as it would write them (`setup_connection` in pg_dump.c), and in their order where pages are asked for. */
const COPY_SETTINGS = `SET LOCAL client_encoding = 'UTF8'; SET LOCAL DateStyle = ISO; SET LOCAL IntervalStyle = postgres; SET LOCAL extra_float_digits = 3;
  SET LOCAL synchronize_seqscans = off; SET LOCAL lock_timeout = 0; SET LOCAL enable_seqscan = off; SET LOCAL enable_tidscan = on; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off;
  SELECT set_config(name, 'view, foreign-table', true) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'`;
