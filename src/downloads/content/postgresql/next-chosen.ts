import type { TableSelection } from '../../masking/row-selection.ts';

/** The first row from `row` on that is chosen; as many as there are rows, where there is none. */
export function nextChosen({ kept, rows }: TableSelection, row: number): number {
  let at = row;
  while (at < rows && ((kept[at >> 3] ?? 0) & (1 << (at & 7))) === 0)
    at = (at & 7) === 0 && kept[at >> 3] === 0 ? at + 8 : at + 1;
  return Math.min(at, rows);
}
