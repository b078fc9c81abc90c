import type { LogPiece, NewLogPiece } from '../../core/ports/resource-log.ts';
import { formatLsn, type Lsn, parseLsn, segmentName } from './wal-position.ts';

/** A stored run of WAL: a whole segment, or less of one. */
export interface WalPiece {
  piece: LogPiece;
  /** The name of the segment that it belongs to. */
  segment: string;
  timeline: number;
  systemIdentifier: string;
  segmentBytes: number;
  start: Lsn;
  end: Lsn;
  /** Will be replaced by one that holds more. */
  isPartial: boolean;
  /** How many times it was put together from smaller ones. */
  level: number;
  /** Where the log ended before this piece, if what lies between is lost. */
  gapFrom?: Lsn;
  /** Of the content, hex. */
  sha256?: string;
}

/** A file that is stored as it is: a timeline's history, a backup's label, an incomplete segment of an old primary. */
export interface WalFilePiece {
  piece: LogPiece;
  name: string;
  timeline: number;
  systemIdentifier: string;
  sha256?: string;
}

/** What is known of the stored log of one resource. */
export interface WalLog {
  /** By timeline and place; oldest first where several begin at the same. */
  segments: readonly WalPiece[];
  /** The same by the names of the segments that they belong to: no piece holds bytes of two. */
  bySegment: ReadonlyMap<string, readonly WalPiece[]>;
  files: readonly WalFilePiece[];
}

/** Larger segments are stored in parts of this size first, so that no more has to be held in memory. */
export const LARGEST_UNIT = 16 * 1024 * 1024;

/** How many bytes are gathered in memory for one piece. */
export const unitBytesOf = (segmentBytes: number): number => Math.min(segmentBytes, LARGEST_UNIT);

/** Reads what the pieces' facts say; pieces of other kinds are left out. */
export function readWalLog(pieces: readonly LogPiece[]): WalLog {
  const segments = pieces.flatMap((piece) => (piece.facts.kind === 'segment' ? [segmentPiece(piece)] : []));
  const files = pieces.flatMap((piece) => (FILE_KINDS.has(String(piece.facts.kind)) ? [filePiece(piece)] : []));
  segments.sort((a, b) => a.timeline - b.timeline || compare(a.start, b.start) || compare(a.end, b.end));
  return { segments, bySegment: Map.groupBy(segments, ({ segment }) => segment), files };
}

const FILE_KINDS = new Set(['history', 'file']);

function segmentPiece(piece: LogPiece): WalPiece {
  const { facts } = piece;
  return {
    piece,
    segment: String(facts.segment),
    timeline: Number(facts.timeline),
    systemIdentifier: String(facts.systemIdentifier),
    segmentBytes: Number(facts.segmentBytes),
    start: parseLsn(piece.from),
    end: parseLsn(piece.to),
    isPartial: facts.partial === true,
    level: Number(facts.level ?? 0),
    ...(facts.gapBefore === true ? { gapFrom: parseLsn(String(facts.gapFrom)) } : {}),
    ...(facts.sha256 === undefined ? {} : { sha256: String(facts.sha256) }),
  };
}

function filePiece(piece: LogPiece): WalFilePiece {
  const { facts } = piece;
  return {
    piece,
    name: String(facts.name),
    timeline: Number(facts.timeline),
    systemIdentifier: String(facts.systemIdentifier),
    ...(facts.sha256 === undefined ? {} : { sha256: String(facts.sha256) }),
  };
}

/** What a new piece of a segment says of itself. */
export function newSegmentPiece(
  about: Pick<WalPiece, 'timeline' | 'systemIdentifier' | 'segmentBytes' | 'start' | 'end' | 'isPartial' | 'level'> &
    Pick<Partial<WalPiece>, 'gapFrom' | 'sha256'>,
  content: NewLogPiece['content'],
): NewLogPiece {
  const { timeline, systemIdentifier, segmentBytes, start, end, gapFrom } = about;
  return {
    from: formatLsn(start),
    to: formatLsn(end),
    facts: {
      kind: 'segment',
      segment: segmentName(timeline, start, segmentBytes),
      timeline,
      systemIdentifier,
      segmentBytes,
      offset: Number(start % BigInt(segmentBytes)),
      ...(about.isPartial ? { partial: true } : {}),
      ...(about.level === 0 ? {} : { level: about.level }),
      ...(gapFrom === undefined ? {} : { gapBefore: true, gapFrom: formatLsn(gapFrom) }),
      ...(about.sha256 === undefined ? {} : { sha256: about.sha256 }),
    },
    content,
  };
}

/** What a stored file says of itself. @param at where its timeline begins (a history), or its segment */
export function newFilePiece(
  about: {
    kind: 'history' | 'file';
    name: string;
    timeline: number;
    systemIdentifier: string;
    sha256: string;
    at: Lsn;
  },
  content: NewLogPiece['content'],
): NewLogPiece {
  const { at, ...facts } = about;
  return { from: formatLsn(at), to: formatLsn(at), facts, content };
}

/** Where the stored log ends on a timeline: after the newest gap, up to the first byte that is missing. */
export function endOfLog(log: WalLog, timeline: number): Lsn | undefined {
  const ofTimeline = log.segments.filter((each) => each.timeline === timeline);
  const afterGap = ofTimeline.findLastIndex(({ gapFrom }) => gapFrom !== undefined);
  let end: Lsn | undefined;
  for (const piece of ofTimeline.slice(Math.max(afterGap, 0))) {
    if (end !== undefined && piece.start > end) break;
    if (end === undefined || piece.end > end) end = piece.end;
  }
  return end;
}

export function newestTimeline(log: WalLog): number | undefined {
  return log.segments.at(-1)?.timeline;
}

/** Partial pieces whose bytes others hold as well: a crash left them between the storing of one and the removal of the other. */
export function supersededPieces(log: WalLog): LogPiece[] {
  const superseded: LogPiece[] = [];
  for (const each of log.segments) {
    if (!each.isPartial) continue;
    const isHeld = log.bySegment
      .get(each.segment)
      ?.some(
        (other) =>
          other !== each &&
          other.start <= each.start &&
          other.end >= each.end &&
          (!other.isPartial || other.level > each.level) &&
          (each.gapFrom === undefined || other.gapFrom !== undefined),
      );
    if (isHeld) superseded.push(each.piece);
  }
  return superseded;
}

const compare = (a: Lsn, b: Lsn): number => (a < b ? -1 : a > b ? 1 : 0);
