import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import type { LogReading } from '../../core/ports/resource-log.ts';
import type { DrillContext, DrillFinding } from '../../core/ports/service-drill.ts';
import { Connection } from '../postgresql/connection.ts';
import { listDatabases } from '../postgresql/database-facts.ts';
import type { PrivateServer } from '../postgresql/private-server.ts';
import { Session } from '../postgresql/session.ts';
import { parsePhysicalConfiguration } from './configuration.ts';
import { logAfter } from './log-drill.ts';
import { isPassed, nothingLeadsTo } from './log-moments.ts';
import type { RecordedCluster } from './recorded-cluster.ts';
import { microsecondsOf } from './recovery-settings.ts';
import { cutWarning, tablespaceBeforeMoment, tablespaceInBackup, WalFeed } from './wal-feed.ts';
import { readWalLog } from './wal-pieces.ts';
import { formatLsn, kindOfWalFile, type Lsn, parseLsn, segmentStart, startOfSegment } from './wal-position.ts';
import { tablespaceOf, WalRecords } from './wal-records.ts';

/** Every cluster has it. */
export const MAINTENANCE = 'template1';
/** The superuser that a cluster was made with, whatever it is called. */
const BOOTSTRAP_SUPERUSER = 10;
const LOGIN_TRIGGERS_SINCE = 17;
/** What of its WAL a server keeps until its next restart point. */
const MOST_WAL_BYTES = 2 * 1024 ** 3;

export interface LogToReplay {
  log: LogReading;
  /** What it takes on the disk, about. */
  roomBytes: number;
  /** Where the log goes on beyond the moment to which it is to be replayed: the time at which the server must stop. RFC 3339. */
  until?: string;
}

/**
 * The log that leads on from a backup.
 * @returns undefined where there is none: the backup can be restored to its own end only
 * @throws HoldfastError `wal-gap` (damaged), `moment-not-in-log` (not-found) where there is none, and a moment was asked for
 */
export async function logToReplay(
  { log, moment, backup, signal }: Pick<DrillContext, 'log' | 'moment' | 'backup' | 'signal'>,
  cluster: RecordedCluster,
): Promise<LogToReplay | undefined> {
  if (log === undefined) return undefined;
  const stored = readWalLog(await log.pieces());
  const after = logAfter(stored, cluster);
  if (!('first' in after)) {
    if (moment === undefined) return undefined;
    throw nothingLeadsTo(moment, backup.id, after);
  }
  const from = parseLsn(cluster.startLsn);
  let bytes = 0;
  for (const { start, end } of stored.segments) if (end > from) bytes += Number(end - start);
  const isUntil = moment !== undefined && (await isPassed(log, moment, signal));
  return { log, roomBytes: Math.min(bytes, MOST_WAL_BYTES), ...(isUntil ? { until: moment } : {}) };
}

export function feedFor(
  { folder, signal, report, moment }: DrillContext,
  cluster: RecordedCluster,
  { log, until, server }: Pick<LogToReplay, 'log' | 'until'> & { server: PrivateServer },
): Promise<WalFeed> {
  return WalFeed.make({
    ...{ log, signal, account: server.account, folder: path.join(folder, 'wal') },
    consistentFrom: parseLsn(cluster.stopLsn),
    onSegment: (current) => report({ percent: 60, phase: 'replaying the log', current }),
    ...(moment === undefined ? {} : { until: microsecondsOf(moment), stopsByItself: until !== undefined }),
  });
}

/** @throws HoldfastError `tablespace-made-during-backup` (unsupported): the backup's own WAL makes one */
export async function requireNoTablespaceMade(
  folder: string,
  { startLsn, walSegmentBytes }: RecordedCluster,
  signal: AbortSignal,
): Promise<void> {
  const records = new WalRecords((record) => {
    const tablespace = tablespaceOf(record);
    if (tablespace !== undefined && record.end > parseLsn(startLsn)) throw tablespaceInBackup(tablespace);
  });
  const from = startOfSegment(parseLsn(startLsn), walSegmentBytes);
  for (const name of (await readdir(folder).catch(() => [])).sort()) {
    if (kindOfWalFile(name) !== 'segment') continue;
    const { start } = segmentStart(name, walSegmentBytes);
    if (start < from) continue;
    records.beginSegment(start, walSegmentBytes);
    for await (const bytes of createReadStream(path.join(folder, name), { highWaterMark: 1 << 20 })) {
      signal.throwIfAborted();
      records.push(bytes);
    }
  }
}

export interface Recovery {
  server: PrivateServer;
  dataFolder: string;
  cluster: RecordedCluster;
  feed: WalFeed | undefined;
}

/** @returns the names of the databases */
export async function startAndReplay(context: DrillContext, recovery: Recovery): Promise<readonly string[]> {
  const { feed } = recovery;
  let started: Started | undefined;
  await context.checks.make(
    {
      name: 'starts',
      kind: 'integrity',
      description: `The server starts, ${feed === undefined ? 'recovers to the end of the backup' : 'replays the WAL that is kept'}${context.moment === undefined ? '' : ` up to ${context.moment}`} and takes connections`,
      expected: 'running',
    },
    async () => {
      started = await startCluster(context, recovery);
      return { outcome: 'passed', found: `running, with the databases ${started.databases.join(', ')}` };
    },
  );
  if (feed === undefined || started === undefined) {
    context.dataReady();
    return started?.databases ?? [];
  }
  const { replayedTo, lastTransactionAt, databases } = started;
  context.dataReady({ position: formatLsn(replayedTo), at: lastTransactionAt ?? recovery.cluster.stoppedAt });
  const { position, tablespace } = feed.cutAt ?? {};
  if (position !== undefined && tablespace !== undefined) {
    if (context.moment !== undefined) throw tablespaceBeforeMoment(tablespace, context.moment);
    context.warn(cutWarning({ position, tablespace }));
  }
  await context.checks.make(
    {
      name: 'replayed',
      kind: 'content',
      description: `The server replayed every record of the WAL that is kept${beforeMoment(context.moment, feed)}`,
      expected: `up to ${formatLsn(feed.end ?? 0n)}`,
    },
    () => judgeReplay(feed, started as Started, context.moment),
  );
  return databases;
}

function beforeMoment(moment: string | undefined, { isPassed: goesOn }: WalFeed): string {
  if (moment === undefined) return '';
  if (goesOn) return `, up to the first transaction that ended after ${moment}, and nothing of that`;
  return `, in which no transaction ended after ${moment}`;
}

/** A cluster that takes connections. */
export interface Started {
  /** Names of those that are no templates and take connections, in order. */
  databases: readonly string[];
  replayedTo: Lsn;
  /** RFC 3339, by the clock of the source; absent where no transaction ended after the backup. */
  lastTransactionAt: string | undefined;
}

function judgeReplay(
  feed: WalFeed,
  { replayedTo, lastTransactionAt }: Started,
  moment: string | undefined,
): DrillFinding {
  const last = lastTransactionAt === undefined ? 'no transaction' : `the last transaction of ${lastTransactionAt}`;
  const found = `up to ${formatLsn(replayedTo)}, ${last}`;
  const isWhole = feed.end !== undefined && replayedTo >= feed.end;
  const isTooFar =
    moment !== undefined &&
    (replayedTo !== feed.end ||
      (lastTransactionAt !== undefined && microsecondsOf(lastTransactionAt) > microsecondsOf(moment)));
  return { outcome: isWhole && !isTooFar ? 'passed' : 'failed', found };
}

/**
 * Starts a restored cluster and waits until it has recovered; from then on the server is used as its superuser.
 * @param context `resource`: whose role is there for certain
 * @throws HoldfastError `postgresql-cluster-not-started`, `wal-gap` (damaged); `postgresql-private-server-failed` (unavailable) where it is
 * this machine that lacks something
 */
export async function startCluster(
  context: Pick<DrillContext, 'resource' | 'signal' | 'moment'>,
  { server, dataFolder, cluster, feed }: Recovery,
): Promise<Started> {
  await server
    .start(dataFolder, {
      user: knownRole(context),
      database: MAINTENANCE,
      // Transactions that are prepared need a place to be brought back to, whatever the source's setting was by then.
      settings: {
        ...{ hot_standby: 'off', max_prepared_transactions: '1000', max_wal_size: '512MB' },
        // What the source does whenever somebody connects may reach out.
        ...(cluster.major >= LOGIN_TRIGGERS_SINCE ? { event_triggers: 'off' } : {}),
      },
      ...(feed === undefined ? {} : { attend: (channel) => feed.attend(channel), lastSign: () => feed.lastAsked }),
    })
    .catch((error: unknown) => notStarted(error, { feed, moment: context.moment }));
  const session = await Session.open(server.connection, MAINTENANCE, context.signal);
  try {
    const { name, position, at } = await session.row<{ name: string; position: string | null; at: string | null }>(
      `SELECT rolname AS name, pg_last_wal_replay_lsn()::text AS position,
         to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
       FROM pg_roles WHERE oid = $1`,
      [BOOTSTRAP_SUPERUSER],
    );
    server.actAs(name);
    const databases = await listDatabases(session);
    return { databases, replayedTo: parseLsn(position ?? '0/0'), lastTransactionAt: at ?? undefined };
  } finally {
    await session.close();
  }
}

/** A cluster that does not start is worth nothing, unless it is this machine that lacks something. */
function notStarted(
  error: unknown,
  { feed, moment }: { feed: WalFeed | undefined; moment: string | undefined },
): never {
  const { failure, cutAt } = feed ?? {};
  if (failure instanceof HoldfastError && failure.code === 'wal-gap')
    throw new HoldfastError('damaged', 'wal-gap', failure.message, { cause: failure });
  if (failure !== undefined) throw failure;
  if (cutAt?.tablespace !== undefined && moment !== undefined) throw tablespaceBeforeMoment(cutAt.tablespace, moment);
  if (!(error instanceof HoldfastError) || error.code !== 'postgresql-private-server-failed') throw error;
  if (OF_THIS_MACHINE.test(error.message)) throw error;
  throw new HoldfastError('damaged', 'postgresql-cluster-not-started', error.message, { cause: error });
}

const OF_THIS_MACHINE = /No space left|Permission denied|shared memory|semaphore|Cannot allocate|took no connections/;

/** One that is in the cluster for certain: it was there when the backup was made by it. A recovered catalogue does not know it. */
function knownRole({ resource }: Pick<DrillContext, 'resource'>): string {
  if (resource?.service !== 'postgresql-physical') return 'postgres';
  if (Object.keys(resource.configuration).length === 0) return 'postgres';
  return new Connection(parsePhysicalConfiguration(resource.configuration).connection, '').user;
}
