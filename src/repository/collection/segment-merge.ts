import { HoldfastError } from '../../core/errors.ts';
import { ROW_LENGTH } from '../index-row.ts';
import { type IndexedPack, type IndexSegment, MOST_ROWS } from '../index-segment.ts';

/** A segment as it lies in the storage. */
export interface NamedSegment {
  name: string;
  segment: IndexSegment;
}

const ID_LENGTH = 32;

/**
 * Merges index segments into one without the rows of packs that go. A pure function: equal inputs give equal rows. Rows that
 * several inputs hold (a merge that was interrupted) come once.
 *
 * @param inputs of no more than `MOST_ROWS` rows in all, or one larger one
 * @returns undefined where nothing is left
 */
export function mergeSegments(inputs: readonly NamedSegment[], removed: ReadonlySet<string>): IndexSegment | undefined {
  const packs: IndexedPack[] = [];
  const numbers = new Map<string, number>();
  const rows: Buffer[] = [];
  let inputRows = 0;
  for (const { segment } of inputs) {
    inputRows += segment.rows.length / ROW_LENGTH;
    const renumbered = segment.packs.map((pack) => numberOf(pack, packs, numbers, removed));
    for (let at = 0; at < segment.rows.length; at += ROW_LENGTH) {
      const number = renumbered[segment.rows.readUInt32BE(at + ID_LENGTH)];
      if (number === undefined) continue;
      const row = Buffer.from(segment.rows.subarray(at, at + ROW_LENGTH));
      row.writeUInt32BE(number, ID_LENGTH);
      rows.push(row);
    }
  }
  if (packs.length === 0) return undefined;
  rows.sort(Buffer.compare);
  const distinct = rows.filter((row, index) => index === 0 || !row.equals(rows[index - 1] as Buffer));
  const merged = { replaces: inputs.map(({ name }) => name), inputRows };
  return { packs, rows: Buffer.concat(distinct), merged };
}

/**
 * Looks for each input row in the result, and for nothing else there: by its own way, not by that of the merge.
 * @throws HoldfastError `index-merge-failed` (internal)
 */
export function verifyMerge(
  inputs: readonly NamedSegment[],
  removed: ReadonlySet<string>,
  result: IndexSegment | undefined,
): void {
  const places = new Set<string>();
  for (const { segment } of inputs) forEachPlace(segment, (place, pack) => !removed.has(pack) && places.add(place));
  const packs = new Set<string>();
  for (const { segment } of inputs)
    for (const { idHex, size } of segment.packs) if (!removed.has(idHex)) packs.add(`${idHex} ${size}`);
  let found = 0;
  if (result !== undefined) {
    forEachPlace(result, (place) => {
      if (!places.has(place)) throw mergeFailed('holds a row that no input holds');
      found++;
    });
    for (const { idHex, size } of result.packs)
      if (!packs.delete(`${idHex} ${size}`)) throw mergeFailed('names a pack that no input names');
  }
  if (found !== places.size || packs.size > 0) throw mergeFailed('lacks something that an input holds');
}

/**
 * Chooses what to merge: segments that name packs which go, and small ones once there are several of them; never those that are
 * spared. Groups of at most `MOST_ROWS` rows.
 */
export function groupsToMerge(
  segments: readonly { name: string; rows: number; mustGo: boolean; spared: boolean }[],
): string[][] {
  const small = segments.filter(({ rows, mustGo, spared }) => !spared && !mustGo && rows < SMALL_SEGMENT);
  const chosen = segments.filter(({ mustGo }) => mustGo);
  if (small.length + chosen.length >= FEWEST_SMALL) chosen.push(...small);
  chosen.sort((a, b) => a.rows - b.rows || (a.name < b.name ? -1 : 1));
  const groups: string[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const segment of chosen) {
    if (rows + segment.rows > MOST_ROWS) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)?.push(segment.name);
    rows += segment.rows;
  }
  return groups;
}

/** Segments of fewer rows are merged once there are `FEWEST_SMALL` of them. */
const SMALL_SEGMENT = MOST_ROWS / 4;
const FEWEST_SMALL = 8;

function numberOf(
  pack: IndexedPack,
  packs: IndexedPack[],
  numbers: Map<string, number>,
  removed: ReadonlySet<string>,
): number | undefined {
  if (removed.has(pack.idHex)) return undefined;
  let number = numbers.get(pack.idHex);
  if (number === undefined) {
    number = packs.push(pack) - 1;
    numbers.set(pack.idHex, number);
  }
  return number;
}

function forEachPlace(segment: IndexSegment, visit: (place: string, pack: string) => void): void {
  const { rows, packs } = segment;
  for (let at = 0; at < rows.length; at += ROW_LENGTH) {
    const pack = packs[rows.readUInt32BE(at + ID_LENGTH)]?.idHex ?? '';
    visit(`${pack}${rows.toString('latin1', at, at + ID_LENGTH)}${rows.toString('latin1', at + 36, at + 52)}`, pack);
  }
}

function mergeFailed(what: string): HoldfastError {
  return new HoldfastError(
    'internal',
    'index-merge-failed',
    `A merged index segment ${what}; nothing was replaced by it. Suspect faulty memory: test this machine.`,
  );
}
