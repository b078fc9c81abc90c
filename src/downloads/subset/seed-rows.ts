import type { KeyIndex } from './key-index.ts';
import { sampleBound } from './stable-sample.ts';
import type { PlannedRoot } from './subset-plan.ts';

/** The rows that a root chooses: its condition first, then the newest, then its share, then its limit. */
export function seedRows(root: PlannedRoot, index: KeyIndex, number: number): number[] {
  const { chosen, sorting } = index.roots[number] ?? {};
  const places = index.places[root.table];
  const rows = (index.tables[root.table] ?? []).reduce((sum, run) => sum + run.rows, 0);
  const placeOf = (row: number): number => places?.[row] ?? row;
  const bound = root.sample === undefined ? Number.POSITIVE_INFINITY : sampleBound(root.sample);
  const meant = chosen ?? ordinals(rows);
  let found: number[] = [];
  if (root.newest === undefined || sorting === undefined) {
    for (const row of meant) if (placeOf(row) < bound) found.push(row);
  } else {
    const rankOf = (row: number): number => sorting[row] ?? Number.NEGATIVE_INFINITY;
    found = [...meant].sort((one, other) => compared(rankOf(other), rankOf(one)) || other - one);
    found = found.slice(0, root.newest.count).filter((row) => placeOf(row) < bound);
  }
  if (root.limit === undefined || found.length <= root.limit) return found;
  return found.sort((one, other) => placeOf(one) - placeOf(other) || one - other).slice(0, root.limit);
}

function* ordinals(rows: number): Generator<number> {
  for (let row = 0; row < rows; row++) yield row;
}

function compared(one: number, other: number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
