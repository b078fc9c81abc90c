import type { KeyList } from './key-list.ts';
import { DANGLING, NO_REFERENCE } from './key-table.ts';

/**
 * Which row each reference leads to, by a table of the references in the place of one of the rows: where few of many rows are referred to, that
 * is small enough to stay near the processor.
 * @returns `duplicate`: a row whose key another row before it has too, where a reference has it; others are not looked for
 */
export function rowsReferredTo(
  references: KeyList,
  keys: KeyList,
): { rows: Int32Array<ArrayBuffer>; duplicate: number | undefined } {
  const table = new ReferenceTable(references);
  let duplicate: number | undefined;
  for (let row = 0; row < keys.length; row++) if (!table.lead(keys, row)) duplicate ??= row;
  return { rows: table.rows, duplicate };
}

class ReferenceTable {
  readonly rows: Int32Array<ArrayBuffer>;
  readonly #references: KeyList;
  /** By hash: a reference and 1; 0 is empty. */
  readonly #slots: Int32Array;
  /** For each reference, another one with the same key, and 1. */
  readonly #others: Int32Array;

  constructor(references: KeyList) {
    const { length } = references;
    this.#references = references;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(16, length * 1.6))));
    this.#others = new Int32Array(length);
    this.rows = new Int32Array(length).fill(DANGLING);
    for (let at = 0; at < length; at++) {
      if (references.isNull(at)) {
        this.rows[at] = NO_REFERENCE;
        continue;
      }
      const slot = this.#slotOf(references, at);
      this.#others[at] = this.#slots[slot] as number;
      this.#slots[slot] = at + 1;
    }
  }

  /** Has all references with the key of a row lead there. False where they lead to another one already. */
  lead(keys: KeyList, row: number): boolean {
    if (keys.isNull(row)) return true;
    const { rows } = this;
    const first = this.#slots[this.#slotOf(keys, row)] as number;
    if (first > 0 && (rows[first - 1] as number) >= 0) return false;
    for (let found = first; found > 0; found = this.#others[found - 1] as number) rows[found - 1] = row;
    return true;
  }

  /** Where references with this key are, or would be. */
  #slotOf(keys: KeyList, at: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = keys.hashOf(at) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] as number;
      if (found === 0 || this.#references.equals(found - 1, keys, at)) return slot;
    }
  }
}
