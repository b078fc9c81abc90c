import type { KeyIndex } from './key-index.ts';
import { sampleBound } from './stable-sample.ts';
import type { PlannedRoot } from './subset-plan.ts';

/** The rows that a root chooses: its condition first, then the newest, then its share, then its limit. */
export function seedRows(root: PlannedRoot, index: KeyIndex, number: number): number[] {
  const { chosen, sorting } = index.roots[number] ?? {};
  const places = index.places[root.table];
  const rows = (index.tables[root.table] ?? []).reduce((sum, run) => sum + run.rows, 0);
  let found: number[] = chosen === undefined ? Array.from({ length: rows }, (_, row) => row) : [...chosen];
  if (root.newest !== undefined && sorting !== undefined) {
    const rankOf = (row: number): number => sorting[row] ?? Number.NEGATIVE_INFINITY;
    found.sort((one, other) => compared(rankOf(other), rankOf(one)) || other - one);
    found = found.slice(0, root.newest.count);
  }
  const placeOf = (row: number): number => places?.[row] ?? row;
  if (root.sample !== undefined) {
    const bound = sampleBound(root.sample);
    found = found.filter((row) => placeOf(row) < bound);
  }
  if (root.limit === undefined || found.length <= root.limit) return found;
  return found.sort((one, other) => placeOf(one) - placeOf(other) || one - other).slice(0, root.limit);
}

function compared(one: number, other: number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
