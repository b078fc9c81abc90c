import { Referrers } from './referrers.ts';
import { RowBits } from './row-bits.ts';
import type { RowReferences } from './row-references.ts';

/** How often all references are looked through before a list of who refers to whom is made, which takes four bytes for each row of both tables. */
const LOOKS = 3;
/** Of a larger part of all rows the list tells faster, and in less memory than what is found. */
const SMALL_PART = 16;

/** Tells which rows of a table refer to rows of another one. */
export class ReferringRows {
  readonly #references: RowReferences;
  readonly #targets: number;
  #looks = 0;
  #referrers: Referrers | undefined;

  /** @param references for each row, that which it refers to; negative where it is none */
  constructor(references: RowReferences, targets: number) {
    this.#references = references;
    this.#targets = targets;
  }

  /** In their order. */
  of(target: number): Int32Array {
    this.#referrers ??= new Referrers(this.#references, this.#targets);
    return this.#referrers.of(target);
  }

  /** For each of some rows to which others refer: these, in their order. */
  *ofEach(targets: readonly number[]): Generator<Int32Array> {
    const isFew = targets.length * SMALL_PART <= this.#targets;
    if (this.#referrers === undefined && isFew && this.#looks++ < LOOKS) {
      for (const rows of this.#found(targets).values()) yield Int32Array.from(rows);
    } else for (const target of targets) yield this.of(target);
  }

  #found(targets: readonly number[]): Map<number, number[]> {
    const wanted = new RowBits(this.#targets);
    for (const target of targets) wanted.add(target);
    const found = new Map<number, number[]>();
    this.#references.eachTo(wanted, (row, target) => {
      const rows = found.get(target);
      if (rows === undefined) found.set(target, [row]);
      else rows.push(row);
    });
    return found;
  }
}
