import { HoldfastError } from '../../core/errors.ts';
import type { LogReading, MomentQuestion, MomentWindow } from '../../core/ports/resource-log.ts';
import { logAfter } from './log-drill.ts';
import { recordedCluster } from './recorded-cluster.ts';
import { microsecondsOf } from './recovery-settings.ts';
import { bytesOf, nextSegment, planSegment, type SegmentPlan, whileReplaced } from './wal-assembly.ts';
import { readWalLog } from './wal-pieces.ts';
import { transactionEndOf, WalRecords } from './wal-records.ts';

/** From the end of a backup to what was stored last: only commits have times, and between them a cluster is as after the one before. */
export function momentsOfLog({ backup, recorded, pieces }: MomentQuestion): readonly MomentWindow[] {
  const cluster = recordedCluster(recorded, backup.id);
  const log = readWalLog(pieces);
  if ('absent' in logAfter(log, cluster)) return [];
  const end = log.segments
    .map(({ piece }) => piece.completedAt)
    .toSorted()
    .at(-1);
  return end === undefined ? [] : [{ from: cluster.stoppedAt, to: end }];
}

/**
 * Whether the log holds the end of a transaction after a moment. A server that is to recover to a time refuses to start where none is
 * there to tell it that the time has come; its cluster then is, at that moment, as at the end of the log.
 */
export async function isPassed(log: LogReading, moment: string, signal: AbortSignal): Promise<boolean> {
  const wanted = microsecondsOf(moment);
  let stored = readWalLog(await log.pieces());
  const newestFirst = stored.segments.toSorted((a, b) => b.timeline - a.timeline || (a.start < b.start ? 1 : -1));
  const looked = new Set<string>();
  for (const { segment, segmentBytes, piece } of newestFirst) {
    // Clocks of two machines differ a little.
    if (Date.parse(piece.completedAt) < Number(wanted / 1000n) - CLOCK_MARGIN) return false;
    if (looked.has(segment)) continue;
    looked.add(segment);
    const isFound = await whileReplaced(async (isAgain) => {
      if (isAgain) stored = readWalLog(await log.pieces());
      const planOf = (name: string) => planSegment(stored, name, { upToGap: true });
      return isPassedIn(log, [planOf(segment), planOf(nextSegment(segment, segmentBytes))], { wanted, signal });
    });
    if (isFound) return true;
  }
  return false;
}

/** milliseconds */
const CLOCK_MARGIN = 600_000;

/** The second segment is read as far as a record goes that begins in the first one. */
async function isPassedIn(
  log: LogReading,
  plans: readonly [SegmentPlan, SegmentPlan],
  { wanted, signal }: { wanted: bigint; signal: AbortSignal },
): Promise<boolean> {
  let isFound = false;
  const records = new WalRecords((record) => {
    isFound ||= (transactionEndOf(record) ?? 0n) > wanted;
  });
  for (const [index, { start, segmentBytes, parts }] of plans.entries()) {
    if (index > 0 && !records.isWithinRecord()) break;
    records.beginSegment(start, segmentBytes);
    for await (const bytes of bytesOf(log, parts)) {
      signal.throwIfAborted();
      records.push(bytes);
      if (isFound) return true;
      if (index > 0 && !records.isWithinRecord()) break;
    }
    records.endLog();
  }
  return isFound;
}

/** Why nothing leads from a backup to a moment: `wal-gap` (damaged) where it did once, `moment-not-in-log` (not-found) where it never did. */
export function nothingLeadsTo(
  moment: string,
  backupId: string,
  why: { absent: string } | { lost: string },
): HoldfastError {
  const [kind, code, reason] =
    'lost' in why
      ? (['damaged', 'wal-gap', why.lost] as const)
      : (['not-found', 'moment-not-in-log', why.absent] as const);
  const message = `${backupId} was to be restored as things were at ${moment}, and the log does not lead there. ${reason}.`;
  return new HoldfastError(kind, code, message, { details: { backupId, moment } });
}
