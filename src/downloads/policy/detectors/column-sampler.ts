import { createHash } from 'node:crypto';

/**
 * Some of a column's values, each as likely as any other (reservoir sampling, Vitter's algorithm R), and the same ones each time: what is chosen hangs on the seed and the
 * order of the values alone. Keeps no more than `size` values of at most 4096 characters.
 */
export class ColumnSampler {
  readonly #size: number;
  readonly #values: string[] = [];
  #state: number;
  #seen = 0;
  #nulls = 0;

  /** @param seed the name of the column, say */
  constructor(seed: string, size = 1000) {
    this.#size = size;
    this.#state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  }

  add(value: string | null): void {
    if (value === null) {
      this.#nulls++;
      return;
    }
    const at = this.#seen < this.#size ? this.#seen : Math.floor(this.#next() * (this.#seen + 1));
    this.#seen++;
    if (at < this.#size) this.#values[at] = value.slice(0, LONGEST);
  }

  get sample(): ColumnSample {
    return { values: this.#values, seen: this.#seen, nulls: this.#nulls };
  }

  /** At least 0, less than 1. The generator splitmix32: chance enough to choose by, and no secret. */
  #next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  }
}

export interface ColumnSample {
  values: readonly string[];
  /** Values that are not NULL, of which these are a sample. */
  seen: number;
  nulls: number;
}

const LONGEST = 4096;
