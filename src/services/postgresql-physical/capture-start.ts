import { HoldfastError } from '../../core/errors.ts';
import type { SystemIdentity } from './capture-connection.ts';
import { divergedLog } from './capture-failure.ts';
import { endOfLog, newestTimeline, unitBytesOf, type WalLog, type WalPiece } from './wal-pieces.ts';
import { formatLsn, type Lsn, startOfSegment, type TimelineEnd } from './wal-position.ts';

/** From where on the server is asked for its WAL. */
export interface CaptureStart {
  timeline: number;
  start: Lsn;
  /** Pieces of the first, incomplete run that are stored already. */
  stored: readonly WalPiece[];
  /** Where the stored log ended, if what follows is lost. */
  gapFrom?: Lsn;
}

/**
 * Where the stored log ends and the server's WAL follows on.
 *
 * @param history the timelines that the server's went through, oldest first
 * @returns undefined where nothing is stored yet
 * @throws HoldfastError `wal-timeline-foreign` (conflict): the log's timeline is none that the server came from; `wal-diverged`
 * (conflict): the server has less of the timeline than is stored
 */
export function continuationOf(
  log: WalLog,
  identity: SystemIdentity,
  history: readonly TimelineEnd[],
  segmentBytes: number,
): CaptureStart | undefined {
  const timeline = newestTimeline(log);
  const end = timeline === undefined ? undefined : endOfLog(log, timeline);
  if (timeline === undefined || end === undefined) return undefined;
  if (timeline === identity.timeline) {
    if (identity.position >= end) return startAt(log, timeline, end, segmentBytes);
    throw divergedLog(
      `The log is stored up to ${formatLsn(end)}, and the server is at ${formatLsn(identity.position)}`,
    );
  }
  const left = history.findIndex((each) => each.timeline === timeline);
  const leftAt = history[left]?.end;
  if (leftAt === undefined) throw foreignTimeline(timeline, identity);
  if (end < leftAt) return startAt(log, timeline, end, segmentBytes);
  return startOfTimeline(history[left + 1]?.timeline ?? identity.timeline, leftAt, segmentBytes);
}

/** A new timeline's files begin with the segment in which it left the old one. */
export function startOfTimeline(timeline: number, switchPoint: Lsn, segmentBytes: number): CaptureStart {
  return { timeline, start: startOfSegment(switchPoint, segmentBytes), stored: [] };
}

/** The timeline of a server's history that a position lies on. */
export function timelineAt(position: Lsn, identity: SystemIdentity, history: readonly TimelineEnd[]): number {
  return history.find(({ end }) => position < end)?.timeline ?? identity.timeline;
}

/** @throws HoldfastError `wal-cluster-foreign` (conflict) naming both */
export function requireSameCluster(log: WalLog, identity: SystemIdentity, place: string): void {
  const known = [...log.segments, ...log.files].find(({ systemIdentifier }) => systemIdentifier !== '');
  if (known === undefined || known.systemIdentifier === identity.systemIdentifier) return;
  throw new HoldfastError(
    'conflict',
    'wal-cluster-foreign',
    `The stored log is of the cluster ${known.systemIdentifier}, and ${place} is the cluster ${identity.systemIdentifier}. Nothing was stored. Correct \`connection\`, or make a resource of its own for the new cluster.`,
    { details: { expected: known.systemIdentifier, found: identity.systemIdentifier } },
  );
}

function startAt(log: WalLog, timeline: number, end: Lsn, segmentBytes: number): CaptureStart {
  const start = startOfSegment(end, unitBytesOf(segmentBytes));
  const stored = log.segments.filter(
    (piece) => piece.timeline === timeline && piece.start >= start && piece.end <= end,
  );
  return { timeline, start, stored };
}

function foreignTimeline(timeline: number, identity: SystemIdentity): HoldfastError {
  return new HoldfastError(
    'conflict',
    'wal-timeline-foreign',
    `The stored log ends on timeline ${timeline}, which the server's timeline ${identity.timeline} (at ${formatLsn(identity.position)}) does not come from. It is another branch of the cluster: make a resource of its own for it, and a base backup.`,
    { details: { stored: timeline, found: identity.timeline } },
  );
}
