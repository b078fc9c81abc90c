import type { MomentQuestion, MomentWindow } from '../../core/ports/resource-log.ts';
import { followedThrough } from './followed-databases.ts';
import { beginningOf, type DatabasePiece, databasePiece } from './log-facts.ts';

/** Between gaps, in which nobody looked while the database changed. A piece that was lost since makes none: it is missing. */
export async function momentsOfLog({ backup, pieces }: MomentQuestion): Promise<readonly MomentWindow[]> {
  const rows = betweenGaps(pieces.map(databasePiece));
  const newest = rows.at(-1)?.at(-1)?.at;
  if (newest === undefined) return [];
  const through = await followedThrough(backup.resourceId, newest, new AbortController().signal);
  return rows.flatMap((row, place) => {
    const [first, last] = [beginningOf(row), row.at(-1)];
    if (first === undefined || last === undefined) return [];
    const from = first.kind === 'pages' ? first.since : first.at;
    const isLast = place === rows.length - 1;
    return [{ from, to: isLast && through > last.at ? through : last.at }];
  });
}

/** The piece of the log, named by the states that it leads from and to, that a moment needs and that is not there. @returns undefined: none is */
export function lostBefore(moment: string, all: readonly DatabasePiece[]): string | undefined {
  for (const row of betweenGaps(all)) {
    let before: DatabasePiece | undefined;
    for (const piece of row) {
      const isHole = before !== undefined && piece.from > before.to;
      if (isHole && (before?.at ?? '') <= moment && piece.at > moment) return `${before?.to} to ${piece.from}`;
      if (before === undefined || piece.to > before.to) before = piece;
    }
  }
  return undefined;
}

function betweenGaps(pieces: readonly DatabasePiece[]): DatabasePiece[][] {
  const rows: DatabasePiece[][] = [];
  for (const piece of pieces.toSorted((left, right) => left.to - right.to || left.from - right.from)) {
    const row = rows.at(-1);
    if (row === undefined || (piece.kind === 'whole' && piece.since === '')) rows.push([piece]);
    else row.push(piece);
  }
  return rows;
}
