import { freeMemory } from '../../core/freed-memory.ts';
import type { RowFields } from '../content/table-content.ts';
import { mixed } from '../mixed.ts';
import type { KeyList } from './key-list.ts';
import { narrowNumbers } from './narrow-numbers.ts';

const BITS = 16;
const BLOCK = 1 << BITS;
/** Stands for NULL among 32-bit integers; the number itself is kept as a wider one. */
const NULL_INTEGER = -(2 ** 31);
const SPECIAL = { special: NULL_INTEGER, codes: 1 };
const LARGEST_INTEGER = 2 ** 31 - 1;
/** To JavaScript blanks are a number, too, and so is `0x10`: in a column of SQLite both are text. */
const DECIMAL = /^\s*[-+]?[\d.]+(?:e|\s|$)/i;

/** Integers as numbers; those beyond 2^53, and whatever else stands in a column of SQLite, as text beside them. */
export class IntegerKeys implements KeyList {
  length = 0;
  readonly #blocks: (Int32Array | Float64Array | Uint8Array | Uint16Array)[] = [];
  /** Of each block, what 0 means in it where it is narrow; NaN of others. */
  readonly #lows: number[] = [];
  readonly #texts = new Map<number, string>();
  /** The last block. */
  #block: Int32Array | Float64Array = new Int32Array(0);

  push(key: string | null): void {
    if (key === null) {
      const at = this.#next();
      this.#block[at % BLOCK] = this.#block instanceof Int32Array ? NULL_INTEGER : Number.NaN;
      return;
    }
    const value = Number(key);
    if (Number.isSafeInteger(value) && DECIMAL.test(key)) {
      this.pushNumber(value);
      return;
    }
    const at = this.#next();
    this.#texts.set(at, key);
    this.#wide()[at % BLOCK] = Number.POSITIVE_INFINITY;
  }

  pushNumber(value: number): void {
    const at = this.#next();
    const isWide = this.#block instanceof Int32Array && (value <= NULL_INTEGER || value > LARGEST_INTEGER);
    const block = isWide ? this.#wide() : this.#block;
    block[at % BLOCK] = value;
  }

  pushField(fields: RowFields, index: number): void {
    const value = fields.integer(index);
    if (value === undefined) this.push(fields.value(index));
    else this.pushNumber(value);
  }

  isNull(at: number): boolean {
    return Number.isNaN(this.valueAt(at));
  }

  /** NaN: NULL; infinity: kept as text. */
  valueAt(at: number): number {
    const index = at >>> BITS;
    const block = this.#blocks[index];
    const value = block?.[at % BLOCK] ?? Number.NaN;
    const low = this.#lows[index] as number;
    if (!Number.isNaN(low)) return value === 0 ? Number.NaN : value + low;
    return value === NULL_INTEGER && block instanceof Int32Array ? Number.NaN : value;
  }

  hashOf(at: number): number {
    const value = this.valueAt(at);
    return mixed(
      Number.isFinite(value) ? (value | 0) ^ Math.floor(value / 2 ** 32) : textHash(this.#texts.get(at) ?? ''),
    );
  }

  equals(at: number, other: KeyList, otherAt: number): boolean {
    if (!(other instanceof IntegerKeys)) return false;
    const value = this.valueAt(at);
    if (value !== other.valueAt(otherAt)) return false;
    return Number.isFinite(value) || this.#texts.get(at) === other.#texts.get(otherAt);
  }

  free(): void {
    for (const block of this.#blocks.splice(0)) freeMemory(bytesOf(block));
    this.length = 0;
  }

  #next(): number {
    const at = this.length++;
    if (at % BLOCK === 0) {
      if (!this.#isNarrowed()) this.#block = new Int32Array(BLOCK);
      this.#blocks.push(this.#block);
      this.#lows.push(Number.NaN);
    }
    return at;
  }

  /** Whether the last block, which is full, was copied into less memory. */
  #isNarrowed(): boolean {
    const last = this.#blocks.length - 1;
    const narrow = last >= 0 && this.#block instanceof Int32Array ? narrowNumbers(this.#block, SPECIAL) : undefined;
    if (narrow === undefined) return false;
    this.#blocks[last] = narrow.numbers;
    this.#lows[last] = narrow.low;
    return true;
  }

  #wide(): Float64Array {
    if (this.#block instanceof Float64Array) return this.#block;
    const wide = Float64Array.from(this.#block, (value) => (value === NULL_INTEGER ? Number.NaN : value));
    freeMemory(bytesOf(this.#block));
    this.#blocks[this.#blocks.length - 1] = wide;
    this.#block = wide;
    return wide;
  }
}

function bytesOf({ buffer }: Int32Array | Float64Array | Uint8Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer);
}

function textHash(text: string): number {
  let hashed = 0;
  for (let at = 0; at < text.length; at++) hashed = Math.imul(hashed, 31) + text.charCodeAt(at);
  return hashed;
}
