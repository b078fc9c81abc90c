import { HoldfastError } from '../../core/errors.ts';
import { beginningOf, type DatabasePiece } from './log-facts.ts';

/** How a restore gets to a state. */
export interface LogPath {
  /** What it begins with; absent: the backup. */
  whole?: DatabasePiece;
  /** Then these, in order. */
  pieces: readonly DatabasePiece[];
  /** The state that it leads to; absent: the backup's own. */
  target?: DatabasePiece;
  /** The state after that, where one is known. */
  next?: DatabasePiece;
}

export interface PathQuestion {
  pieces: readonly DatabasePiece[];
  /** The backup's snapshot was taken between its beginning and `snapshotAt`. RFC 3339. */
  backup: { createdAt: string; snapshotAt: string };
  moment: string;
  /** How far the log is known to be complete, where somebody follows it now; else empty. */
  through: string;
}

/**
 * Finds the newest state at or before a moment, and the shortest way to it: from the newest whole copy before it, be that a backup
 * or a piece of the log. Pieces hold pages as they were, so it does no harm to apply one whose changes are there in part already.
 *
 * @throws HoldfastError `moment-not-in-log` (not-found) naming the moments that can be reached, `log-piece-missing` (damaged)
 */
export function findPath(question: PathQuestion): LogPath {
  const { backup, moment, through } = question;
  const runs = toRuns(question.pieces);
  const windows = runs.map((run, place) => windowOf(run, place === runs.length - 1 ? through : ''));
  const place = windows.findLastIndex(({ begin, end }) => begin <= moment && moment <= end);
  const run = runs[place];
  if (run === undefined) throw notInLog(moment, windows);
  const target = run.findLast(({ at }) => at <= moment);
  const next = run.find(({ to }) => to > (target?.to ?? -1));
  const hasNext = next === undefined ? {} : { next };
  // Where the piece before the first one is lost, an older backup is not in the state that this one leads from.
  const isInRun = target !== undefined || (windows[place]?.begin ?? '') <= backup.createdAt;
  if (isInRun && backup.snapshotAt <= moment && backup.snapshotAt > (target?.at ?? ''))
    return { pieces: [], ...hasNext };
  if (target === undefined) throw notInLog(moment, windows);
  const whole = run.findLast(({ kind, to }) => kind === 'whole' && to <= target.to);
  const isFromBackup =
    (windows[place]?.begin ?? '') <= backup.createdAt && isWellBefore(backup.snapshotAt, target.at, whole);
  if (isFromBackup) {
    const begin = run.findLast(({ at }) => at <= backup.createdAt)?.to ?? beginningOf(run)?.from ?? 0;
    return { pieces: stepsBetween(run, begin, target), target, ...hasNext };
  }
  if (whole === undefined) throw notInLog(moment, windows);
  return { whole, pieces: stepsBetween(run, whole.to, target), target, ...hasNext };
}

/** Rows of pieces without a gap, each row in the order of its states. */
function toRuns(pieces: readonly DatabasePiece[]): DatabasePiece[][] {
  const runs: DatabasePiece[][] = [];
  for (const piece of [...pieces].sort((left, right) => left.to - right.to || left.from - right.from)) {
    const run = runs.at(-1);
    const reached = run?.at(-1)?.to ?? -1;
    const isGap = piece.from > reached || (piece.kind === 'whole' && piece.since === '');
    if (run === undefined || isGap) runs.push([piece]);
    else run.push(piece);
  }
  return runs;
}

interface Window {
  begin: string;
  end: string;
}

function windowOf(run: readonly DatabasePiece[], through: string): Window {
  const [first, last] = [beginningOf(run), run.at(-1)];
  // Where the pieces before are gone, the state that the first one builds on was there since then.
  const begin = first?.kind === 'pages' ? first.since : (first?.at ?? '');
  const end = last?.at ?? '';
  return { begin, end: through > end ? through : end };
}

/** Two clock readings of the same moment differ a little, so a whole piece is preferred to a backup that is about as old as the target. */
function isWellBefore(snapshotAt: string, at: string, whole: DatabasePiece | undefined): boolean {
  if (snapshotAt > at) return false;
  if (whole === undefined) return true;
  return whole.at < snapshotAt && Date.parse(at) - Date.parse(snapshotAt) > CLOCK_MARGIN;
}

/** The longest pieces that there are: after a merge that was not completed, they overlap. */
function stepsBetween(run: readonly DatabasePiece[], begin: number, target: DatabasePiece): DatabasePiece[] {
  const steps: DatabasePiece[] = [];
  for (let reached = begin; reached < target.to; ) {
    let longest: DatabasePiece | undefined;
    for (const piece of run)
      if (piece.from <= reached && piece.to > reached && piece.to <= target.to && piece.to > (longest?.to ?? 0))
        longest = piece;
    if (longest === undefined) throw pieceMissing(reached);
    steps.push(longest);
    reached = longest.to;
  }
  return steps;
}

function notInLog(moment: string, windows: readonly Window[]): HoldfastError {
  const reachable = windows.slice(-WINDOWS_NAMED).map(({ begin, end }) => `${begin} to ${end}`);
  const earlier = windows.length > WINDOWS_NAMED ? ', and earlier ones' : '';
  return new HoldfastError(
    'not-found',
    'moment-not-in-log',
    `The log does not reach ${moment}: it goes from ${reachable.join(', and from ')}${earlier}. Restore to a moment in there, or restore a backup by its id.`,
    { details: { moment, windows } },
  );
}

function pieceMissing(state: number): HoldfastError {
  return new HoldfastError(
    'damaged',
    'log-piece-missing',
    `The log has no piece that leads on from its state ${state}. Restore to an earlier moment, or restore a backup by its id.`,
    { details: { state } },
  );
}

/** milliseconds */
const CLOCK_MARGIN = 1000;
const WINDOWS_NAMED = 5;
