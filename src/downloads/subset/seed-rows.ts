import { rowsOf, type SubsetIndex } from './key-index.ts';
import { sampleBound } from './stable-sample.ts';
import type { PlannedRoot } from './subset-plan.ts';

/** The rows that a root chooses: its condition first, then the newest, then its share, then its limit. */
export function seedRows(
  root: PlannedRoot,
  number: number,
  { index, placeOf }: { index: SubsetIndex; placeOf: (row: number) => number },
): number[] {
  const { chosen, sorting } = index.roots[number] ?? {};
  const bound = root.sample === undefined ? Number.POSITIVE_INFINITY : sampleBound(root.sample);
  const meant = chosen ?? ordinals(rowsOf(index, root.table));
  let found: number[] = [];
  if (root.newest === undefined || sorting === undefined) {
    for (const row of meant) if (placeOf(row) < bound) found.push(row);
  } else {
    const rankOf = (row: number): number => sorting[row] ?? Number.NEGATIVE_INFINITY;
    found = [...meant].sort((one, other) => compared(rankOf(other), rankOf(one)) || other - one);
    found = found.slice(0, root.newest.count).filter((row) => placeOf(row) < bound);
  }
  return root.limit === undefined || found.length <= root.limit ? found : lowest(found, root.limit, placeOf);
}

/** As many rows, those with the lowest places; of rows in the same place the first ones. */
function lowest(rows: readonly number[], count: number, placeOf: (row: number) => number): number[] {
  const places = Float64Array.from(rows, placeOf);
  const bound = places.toSorted()[count] ?? Number.POSITIVE_INFINITY;
  const below = rows.filter((_, at) => (places[at] ?? 0) < bound);
  const same = rows.filter((_, at) => places[at] === bound).sort((one, other) => one - other);
  return [...below, ...same.slice(0, count - below.length)];
}

function* ordinals(rows: number): Generator<number> {
  for (let row = 0; row < rows; row++) yield row;
}

function compared(one: number, other: number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
