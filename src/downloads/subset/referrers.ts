import type { RowReferences } from './row-references.ts';

/** Which rows refer to each row of a table: four bytes for each of both. */
export class Referrers {
  /** Where those of each row begin; one more than there are rows. */
  readonly #starts: Int32Array;
  readonly #rows: Int32Array;

  /** @param references for each row, that which it refers to; negative where it is none */
  constructor(references: RowReferences, targets: number) {
    const starts = new Int32Array(targets + 1);
    for (let row = 0; row < references.length; row++) {
      const target = references.at(row);
      if (target >= 0) starts[target + 1] = (starts[target + 1] ?? 0) + 1;
    }
    for (let at = 1; at <= targets; at++) starts[at] = (starts[at] ?? 0) + (starts[at - 1] ?? 0);
    const rows = new Int32Array(starts[targets] ?? 0);
    // Backwards, each start moves to where it belongs while its rows are filled in.
    for (let at = targets; at > 0; at--) starts[at] = starts[at - 1] ?? 0;
    for (let row = 0; row < references.length; row++) {
      const target = references.at(row);
      if (target < 0) continue;
      const place = starts[target + 1] ?? 0;
      rows[place] = row;
      starts[target + 1] = place + 1;
    }
    this.#starts = starts;
    this.#rows = rows;
  }

  /** In their order. */
  of(target: number): Int32Array {
    return this.#rows.subarray(this.#starts[target], this.#starts[target + 1]);
  }
}
