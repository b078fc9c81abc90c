import { HoldfastError } from '../../core/errors.ts';
import type { LogPiece, LogReading } from '../../core/ports/resource-log.ts';
import type { WalLog, WalPiece } from './wal-pieces.ts';
import { formatLsn, type Lsn, segmentName, segmentStart } from './wal-position.ts';

/** A run of bytes of a piece. */
export interface SegmentPart {
  piece: LogPiece;
  offset: number;
  length: number;
}

export const wholeOf = (piece: LogPiece): SegmentPart => ({ piece, offset: 0, length: piece.size });

/** How a segment's file is put together. */
export interface SegmentPlan {
  /** `whole`; `end`: the log ends within it; `absent`: the log has nothing of it. */
  kind: 'whole' | 'end' | 'absent';
  parts: readonly SegmentPart[];
  segmentBytes: number;
  start: Lsn;
  systemIdentifier: string;
}

/**
 * Finds the pieces that make up a segment.
 * @throws HoldfastError `wal-gap` (conflict): something of it, or between it and what follows, is missing. A server that were
 * told so little as "not there" would take it for the end of the log.
 */
export function planSegment(log: WalLog, name: string, options: { upToGap: boolean }): SegmentPlan {
  const timeline = segmentStart(name, 1).timeline;
  const own = log.bySegment.get(name) ?? [];
  const known = own[0] ?? log.segments.find((piece) => piece.timeline === timeline) ?? log.segments[0];
  if (known === undefined) return { kind: 'absent', parts: [], segmentBytes: 0, start: 0n, systemIdentifier: '' };
  const { segmentBytes, systemIdentifier } = known;
  const { start } = segmentStart(name, segmentBytes);
  const end = start + BigInt(segmentBytes);
  const parts = coveringParts(own, start, end);
  const covered = start + BigInt(parts.reduce((sum, { length }) => sum + length, 0));
  const plan = { parts, segmentBytes, start, systemIdentifier };
  if (covered === end) return { ...plan, kind: 'whole' };
  const lost = lostRange(log, { timeline, start, end, covered });
  if (lost !== undefined && !options.upToGap) throw gap(name, lost);
  return { ...plan, kind: covered === start ? 'absent' : 'end' };
}

/** The name of the segment that follows on the same timeline. */
export function nextSegment(name: string, segmentBytes: number): string {
  const { timeline, start } = segmentStart(name, segmentBytes);
  return segmentName(timeline, start + BigInt(segmentBytes), segmentBytes);
}

/** As few pieces as cover the segment from its start on, up to the first byte that none has. */
export function coveringParts(pieces: readonly WalPiece[], start: Lsn, end: Lsn): SegmentPart[] {
  const parts: SegmentPart[] = [];
  for (let at = start; at < end; ) {
    let best: WalPiece | undefined;
    for (const piece of pieces)
      if (piece.start <= at && piece.end > at && (best === undefined || piece.end > best.end)) best = piece;
    if (best === undefined) break;
    const until = best.end < end ? best.end : end;
    parts.push({ piece: best.piece, offset: Number(at - best.start), length: Number(until - at) });
    at = until;
  }
  return parts;
}

/** The bytes of parts, one after the other. @throws HoldfastError `wal-piece-short` (damaged) … */
export async function* bytesOf(log: LogReading, parts: readonly SegmentPart[]): AsyncGenerator<Uint8Array> {
  for (const { piece, offset, length } of parts) {
    const reader = await log.open(piece);
    try {
      let given = 0;
      for await (const bytes of reader.read(undefined, { offset, length })) {
        yield bytes;
        given += bytes.length;
      }
      if (given !== length) throw shortPiece(piece.id, length, given);
    } finally {
      await reader.close();
    }
  }
}

const ATTEMPTS = 5;

/**
 * Reads from a log that is being written. Small pieces are replaced by larger ones at any moment; what holds their bytes now is
 * found by looking again.
 */
export async function whileReplaced<Result>(read: (isAgain: boolean) => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read(attempt > 1);
    } catch (error) {
      const isReplaced = error instanceof HoldfastError && error.kind === 'not-found';
      if (!isReplaced || attempt === ATTEMPTS) throw error;
    }
  }
}

interface Wanted {
  timeline: number;
  start: Lsn;
  end: Lsn;
  /** Up to where it is stored. */
  covered: Lsn;
}

interface LostRange {
  from: Lsn;
  to: Lsn;
}

function lostRange(log: WalLog, { timeline, start, end, covered }: Wanted): LostRange | undefined {
  for (const piece of log.segments) {
    if (piece.gapFrom === undefined || piece.timeline < timeline) continue;
    if (piece.gapFrom < end && piece.start > covered) return { from: piece.gapFrom, to: piece.start };
  }
  const ofTimeline = log.segments.filter((piece) => piece.timeline === timeline);
  const isBegun = ofTimeline.some((piece) => piece.start < start) || covered > start;
  const next = ofTimeline.find((piece) => piece.start > covered);
  return isBegun && next !== undefined ? { from: covered, to: next.start } : undefined;
}

function gap(name: string, { from, to }: LostRange): HoldfastError {
  return new HoldfastError(
    'conflict',
    'wal-gap',
    `The WAL from ${formatLsn(from)} to ${formatLsn(to)} is not in the log, and ${name} lies there. Restore to a moment before it, or from a base backup made after it.`,
    { details: { segment: name, from: formatLsn(from), to: formatLsn(to) } },
  );
}

function shortPiece(id: string, expected: number, found: number): HoldfastError {
  return new HoldfastError(
    'damaged',
    'wal-piece-short',
    `The piece ${id} of the log gave ${found} bytes where ${expected} were due. Run "holdfast verify", then "holdfast repair".`,
    { details: { id } },
  );
}
