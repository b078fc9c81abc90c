import { createCipheriv, hash } from 'node:crypto';
import { Ff1, SMALLEST_DOMAIN } from './ff1.ts';

/** The largest size for which `ofNumber` can be used. */
export const LARGEST_NUMBER = 2 ** 52;

/**
 * A keyed permutation of the whole numbers in [0, size).
 *
 * From 1,000,000 values: FF1 of radix 2 over the next power of two, again and again until the result is less than `size` (cycle walking: less than two
 * times on average). Below, where NIST allows no FF1: a table shuffled by an AES-CTR key stream, at most 4 MB, made on first use. It is a single cycle (Sattolo),
 * so that no value of such a small domain stays what it is.
 */
export class IntegerPermutation {
  readonly size: bigint;
  readonly #key: Uint8Array;
  readonly #name: Buffer;
  readonly #mostMemory: number | undefined;
  #table?: Uint32Array;
  #ff1?: Ff1;

  /**
   * @param key 32 bytes
   * @param name of this permutation among those of the key
   * @param mostMemory as for `Ff1`; a table is made in any case
   */
  constructor(key: Uint8Array, size: bigint, name: string, mostMemory?: number) {
    if (size < 1n) throw new RangeError('A permutation has at least one value.');
    this.size = size;
    this.#key = key;
    this.#mostMemory = mostMemory;
    this.#name = Buffer.from(`${name}/${size}`);
  }

  /** Bytes that it takes at most once it is used. */
  get memory(): number {
    return this.size < SMALLEST_DOMAIN ? 4 * Number(this.size) : this.#cipher().memory;
  }

  /** @param value in [0, size), size at most `LARGEST_NUMBER` */
  ofNumber(value: number): number {
    if (this.size < SMALLEST_DOMAIN) return this.#fromTable(value);
    const size = Number(this.size);
    const ff1 = this.#cipher();
    const half = 2 ** ff1.right;
    let walked = value;
    do {
      const [left, right] = ff1.encryptHalves(Math.floor(walked / half), walked % half);
      walked = left * half + right;
    } while (walked >= size);
    return walked;
  }

  /** @param value in [0, size) */
  of(value: bigint): bigint {
    if (this.size <= BigInt(LARGEST_NUMBER)) return BigInt(this.ofNumber(Number(value)));
    const ff1 = this.#cipher();
    const halfBits = BigInt(ff1.right);
    const mask = (1n << halfBits) - 1n;
    let walked = value;
    do {
      const [left, right] = ff1.encryptLargeHalves(walked >> halfBits, walked & mask);
      walked = (left << halfBits) | right;
    } while (walked >= this.size);
    return walked;
  }

  #fromTable(value: number): number {
    this.#table ??= shuffled(this.#key, Number(this.size), this.#name);
    const found = this.#table[value];
    if (found === undefined) throw new RangeError('A value is outside of the permutation.');
    return found;
  }

  #cipher(): Ff1 {
    this.#ff1 ??= new Ff1(this.#key, 2, (this.size - 1n).toString(2).length, this.#name, this.#mostMemory);
    return this.#ff1;
  }
}

/** Sattolo's algorithm with 32 bits of key stream for each step: the odds differ by less than 2^-12 of a share. */
function shuffled(key: Uint8Array, size: number, name: Buffer): Uint32Array {
  const table = Uint32Array.from({ length: size }, (_, index) => index);
  const start = hash('sha256', name, 'buffer').subarray(0, 16);
  const keyStream = createCipheriv('aes-256-ctr', key, start).update(Buffer.alloc(4 * size));
  for (let index = size - 1; index > 0; index--) {
    const other = Math.floor((keyStream.readUInt32LE(4 * index) / 0x1_0000_0000) * index);
    const held = table[index] ?? 0;
    table[index] = table[other] ?? 0;
    table[other] = held;
  }
  return table;
}
