import { hash } from 'node:crypto';
import type { KeyKind } from './subset-plan.ts';

const BLOCK = 1 << 16;
/** Stands for NULL among 32-bit integers; the number itself is kept as a wider one. */
const NULL_INTEGER = -(2 ** 31);
const LARGEST_INTEGER = 2 ** 31 - 1;

/** The keys of one table's rows in their order, four to sixteen bytes each. */
export interface KeyList {
  readonly length: number;
  push(key: string | null): void;
  isNull(at: number): boolean;
  /** Equal keys have equal hashes; 32 bits, not negative. */
  hashOf(at: number): number;
  equals(at: number, other: KeyList, otherAt: number): boolean;
}

export function createKeyList(kind: KeyKind): KeyList {
  return kind === 'integer' ? new IntegerKeys() : new TextKeys();
}

/** Integers as numbers; those beyond 2^53, and whatever else stands in a column of SQLite, as text beside them. */
export class IntegerKeys implements KeyList {
  length = 0;
  readonly #blocks: (Int32Array | Float64Array)[] = [];
  readonly #texts = new Map<number, string>();

  push(key: string | null): void {
    const at = this.length++;
    const index = at % BLOCK;
    if (index === 0) this.#blocks.push(new Int32Array(BLOCK));
    const last = this.#blocks.length - 1;
    const block = this.#blocks[last] ?? new Int32Array(BLOCK);
    if (key === null) {
      block[index] = block instanceof Int32Array ? NULL_INTEGER : Number.NaN;
      return;
    }
    const value = Number(key);
    if (!Number.isSafeInteger(value) || key === '') {
      this.#texts.set(at, key);
      this.#wide(last)[index] = Number.POSITIVE_INFINITY;
    } else if (block instanceof Int32Array && (value <= NULL_INTEGER || value > LARGEST_INTEGER)) {
      this.#wide(last)[index] = value;
    } else block[index] = value;
  }

  isNull(at: number): boolean {
    return Number.isNaN(this.valueAt(at));
  }

  /** NaN: NULL; infinity: kept as text. */
  valueAt(at: number): number {
    const block = this.#blocks[Math.floor(at / BLOCK)];
    const value = block?.[at % BLOCK] ?? Number.NaN;
    return block instanceof Int32Array && value === NULL_INTEGER ? Number.NaN : value;
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

  #wide(last: number): Float64Array {
    const block = this.#blocks[last];
    if (block instanceof Float64Array) return block;
    const wide = Float64Array.from(block ?? [], (value) => (value === NULL_INTEGER ? Number.NaN : value));
    this.#blocks[last] = wide;
    return wide;
  }
}

/** 128 bits of each key: UUIDs and short ones as they are, of others a hash. */
export class TextKeys implements KeyList {
  length = 0;
  readonly #blocks: Uint32Array[] = [];
  readonly #nulls: Uint8Array[] = [];
  readonly #buffer = Buffer.alloc(16);

  push(key: string | null): void {
    const at = this.length++;
    const index = at % BLOCK;
    if (index === 0) {
      this.#blocks.push(new Uint32Array(BLOCK * 4));
      this.#nulls.push(new Uint8Array(BLOCK));
    }
    const block = this.#blocks.at(-1);
    const nulls = this.#nulls.at(-1);
    if (block === undefined || nulls === undefined) return;
    if (key === null) {
      nulls[index] = 1;
      return;
    }
    const bytes = this.#bytesOf(key);
    for (let word = 0; word < 4; word++) block[index * 4 + word] = bytes.readUInt32LE(word * 4);
  }

  isNull(at: number): boolean {
    return this.#nulls[Math.floor(at / BLOCK)]?.[at % BLOCK] === 1;
  }

  hashOf(at: number): number {
    let hashed = 0;
    for (let word = 0; word < 4; word++) hashed = Math.imul(hashed, 0x01000193) ^ mixed(this.#wordAt(at, word));
    return hashed >>> 0;
  }

  equals(at: number, other: KeyList, otherAt: number): boolean {
    if (!(other instanceof TextKeys)) return false;
    for (let word = 0; word < 4; word++) if (this.#wordAt(at, word) !== other.#wordAt(otherAt, word)) return false;
    return true;
  }

  #wordAt(at: number, word: number): number {
    return this.#blocks[Math.floor(at / BLOCK)]?.[(at % BLOCK) * 4 + word] ?? 0;
  }

  #bytesOf(key: string): Buffer {
    if (key.length === UUID_LENGTH && UUID.test(key)) {
      this.#buffer.write(key.replaceAll('-', ''), 'hex');
      return this.#buffer;
    }
    return this.#isWhole(key) ? this.#buffer : hash('sha256', key, 'buffer');
  }

  /** Fifteen characters of ASCII and their number: most keys of several columns, and a hash takes longer than all else. */
  #isWhole(key: string): boolean {
    if (key.length > SHORT) return false;
    this.#buffer.fill(0);
    for (let at = 0; at < key.length; at++) {
      const code = key.charCodeAt(at);
      if (code > 0x7f) return false;
      this.#buffer[at] = code;
    }
    this.#buffer[SHORT] = key.length;
    return true;
  }
}

/** Characters. */
const SHORT = 15;
const UUID_LENGTH = 36;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function textHash(text: string): number {
  let hashed = 0;
  for (let at = 0; at < text.length; at++) hashed = Math.imul(hashed, 31) + text.charCodeAt(at);
  return hashed;
}

/** The finalizer of MurmurHash3 (32 bits), by Austin Appleby. */
function mixed(value: number): number {
  let hashed = value | 0;
  hashed = Math.imul(hashed ^ (hashed >>> 16), 0x85ebca6b);
  hashed = Math.imul(hashed ^ (hashed >>> 13), 0xc2b2ae35);
  return (hashed ^ (hashed >>> 16)) >>> 0;
}
