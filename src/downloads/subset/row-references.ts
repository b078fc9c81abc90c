import { freeMemory } from '../../core/freed-memory.ts';
import { DANGLING } from './key-table.ts';
import { narrowNumbers } from './narrow-numbers.ts';
import type { RowBits } from './row-bits.ts';

/** `RowReferences` as it goes from thread to thread and into a file, where objects lose their classes. */
export interface PlainReferences {
  rows: number;
  /** Of each block: bytes of a number (1, 2 or 4), and what 0 means where it is not 4. */
  widths: Uint8Array<ArrayBuffer>;
  lows: Int32Array<ArrayBuffer>;
  /** The numbers of all blocks, each block from a multiple of four on. */
  bytes: Uint8Array<ArrayBuffer>;
}

const BITS = 16;
const BLOCK = 1 << BITS;
/** `DANGLING` and `NO_REFERENCE`. */
const SPECIAL = { special: DANGLING, codes: 2 };

/**
 * For each row of a table, the row that is referred to, `NO_REFERENCE` or `DANGLING`. Rows that stand together mostly refer to rows that stand together:
 * a block of them takes one, two or four bytes for each.
 */
export class RowReferences {
  readonly length: number;
  readonly plain: PlainReferences;
  /** Where each block begins, in words of four bytes. */
  readonly #starts: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #halves: Uint16Array;
  readonly #words: Int32Array;

  /** @throws RangeError where the parts do not fit together */
  constructor(plain: PlainReferences) {
    const { rows, widths, lows, bytes } = plain;
    this.plain = plain;
    this.length = rows;
    this.#starts = new Float64Array(widths.length);
    let words = 0;
    for (const [block, width] of widths.entries()) {
      this.#starts[block] = words;
      words += wordsOf(Math.min(BLOCK, rows - block * BLOCK), width);
    }
    if (widths.length !== blocksOf(rows) || lows.length !== widths.length || bytes.length !== words * 4)
      throw new RangeError('references of another number of rows');
    this.#bytes = bytes;
    this.#halves = new Uint16Array(bytes.buffer, bytes.byteOffset, words * 2);
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, words);
  }

  static of(references: Int32Array): RowReferences {
    return RowReferences.made(references.length, (row) => references[row] as number);
  }

  /** @param of tells each row's reference, once and in their order */
  static made(rows: number, of: (row: number) => number): RowReferences {
    const all = new Int32Array(Math.min(rows, BLOCK));
    const blocks = Array.from({ length: blocksOf(rows) }, (_, block) => {
      const first = block * BLOCK;
      const numbers = all.subarray(0, rows - first);
      for (let at = 0; at < numbers.length; at++) numbers[at] = of(first + at);
      return narrowNumbers(numbers, SPECIAL) ?? { low: 0, numbers: numbers.slice() };
    });
    const words = blocks.map(({ numbers }) => wordsOf(numbers.length, numbers.BYTES_PER_ELEMENT));
    const bytes = new Uint8Array(words.reduce((sum, count) => sum + count, 0) * 4);
    const widths = Uint8Array.from(blocks, ({ numbers }) => numbers.BYTES_PER_ELEMENT);
    const lows = Int32Array.from(blocks, ({ low }) => low);
    let at = 0;
    for (const [block, { numbers }] of blocks.entries()) {
      const part = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
      bytes.set(part, at);
      freeMemory(part);
      at += (words[block] ?? 0) * 4;
    }
    return new RowReferences({ rows, widths, lows, bytes });
  }

  /** @param row one that there is */
  at(row: number): number {
    const block = row >>> BITS;
    const start = this.#starts[block] as number;
    const index = row & (BLOCK - 1);
    const width = this.plain.widths[block];
    if (width === 4) return this.#words[start + index] as number;
    const number = (width === 1 ? this.#bytes[start * 4 + index] : this.#halves[start * 2 + index]) as number;
    return number < SPECIAL.codes ? number + DANGLING : number + (this.plain.lows[block] as number);
  }

  /** Shows the rows that refer to one of some rows, in their order; in half the time that asking `at` of each takes. */
  eachTo(targets: RowBits, visit: (row: number, target: number) => void): void {
    // Of one's own memory bits are read faster than of shared memory.
    const bits = new Uint8Array(targets.bytes);
    const { rows, widths, lows } = this.plain;
    // Loops over arrays of one kind are faster, by more than the copying takes.
    const wide = new Int32Array(BLOCK);
    for (const [block, width] of widths.entries()) {
      const first = block * BLOCK;
      const length = Math.min(BLOCK, rows - first);
      wide.set(this.#numbersOf(block, width, length));
      const [codes, low] = width === 4 ? [0, 0] : [SPECIAL.codes, lows[block] as number];
      for (let at = 0; at < length; at++) {
        const number = wide[at] as number;
        if (number < codes) continue;
        const target = number + low;
        if (((bits[target >> 3] as number) & (1 << (target & 7))) !== 0) visit(first + at, target);
      }
    }
  }

  #numbersOf(block: number, width: number, length: number): Uint8Array | Uint16Array | Int32Array {
    const start = this.#starts[block] as number;
    if (width === 4) return this.#words.subarray(start, start + length);
    if (width === 2) return this.#halves.subarray(start * 2, start * 2 + length);
    return this.#bytes.subarray(start * 4, start * 4 + length);
  }
}

/** How many blocks the references of so many rows have. */
export function blocksOf(rows: number): number {
  return Math.ceil(rows / BLOCK);
}

function wordsOf(numbers: number, width: number): number {
  return Math.ceil((numbers * width) / 4);
}
