import { randomBytes } from 'node:crypto';
import type { CanaryMemory } from '../masking/masking-run.ts';

/** Bits of the filter that each value sets. */
const PROBES = 8;
/** For up to twenty million values with one mistake in ten thousand; smaller contents take less. Bytes. */
const LARGEST = 64 * 1024 * 1024;
const SMALLEST = 64 * 1024;
/** Where the size is not known. */
const USUAL = 16 * 1024 * 1024;

/** @param size bytes of the content, if that is known: it cannot hold more values than fit into it */
export function createCanaryMemory(size: number | undefined): CanaryMemory {
  const wanted = Math.min(LARGEST, Math.max(SMALLEST, size ?? USUAL));
  const bytes = 2 ** Math.ceil(Math.log2(wanted));
  return { originals: new Uint8Array(new SharedArrayBuffer(bytes)), secret: randomBytes(32) };
}

/**
 * The originals that were seen, as a Bloom filter in memory that threads share; after Kirsch and Mitzenmacher, "Less Hashing, Same Performance"
 * (2006), with two keyed hashes for all probes. It is in memory only, for as long as one production takes.
 */
export class CanaryFilter {
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly #seeds: readonly [number, number];

  constructor({ originals, secret }: CanaryMemory) {
    this.#words = new Int32Array(originals.buffer, originals.byteOffset, originals.byteLength / 4);
    this.#mask = this.#words.length * 32 - 1;
    const seeds = new DataView(secret.buffer, secret.byteOffset, secret.byteLength);
    this.#seeds = [seeds.getInt32(0), seeds.getInt32(4)];
  }

  /** Two numbers that stand for a value; nothing can be read off them without the secret. */
  hashOf(value: string): [number, number] {
    let [one, other] = this.#seeds;
    for (let at = 0; at < value.length; at++) {
      const code = value.charCodeAt(at);
      one = Math.imul(one ^ code, 0x01000193);
      other = Math.imul((other ^ code) + (other << 7), 0x5bd1e995);
    }
    return [finished(one ^ value.length), finished(other ^ one) | 1];
  }

  add([one, other]: readonly [number, number]): void {
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = (one + Math.imul(probe, other)) & this.#mask;
      Atomics.or(this.#words, bit >>> 5, 1 << (bit & 31));
    }
  }

  has([one, other]: readonly [number, number]): boolean {
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = (one + Math.imul(probe, other)) & this.#mask;
      if (((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  /** About how many different values were added; Swamidass and Baldi (2007). */
  count(): number {
    const bits = this.#words.length * 32;
    return Math.round((-bits / PROBES) * Math.log(1 - this.#ones() / bits));
  }

  /** How likely a value that was never added is found all the same. */
  mistakes(): number {
    return (this.#ones() / (this.#words.length * 32)) ** PROBES;
  }

  #ones(): number {
    let ones = 0;
    for (const word of this.#words) ones += bitsOf(word);
    return ones;
  }
}

/**
 * Whether it would be no coincidence if a value came up again: names of cities and numbers of a few digits do by themselves. What is
 * compared is without case and blanks around it.
 */
export function tracedForm(value: string): string | undefined {
  const form = value.trim().toLowerCase();
  if (form.length < SHORTEST || form.length > LONGEST) return undefined;
  return form.length >= LONG_ENOUGH || /\p{L}/u.test(form) ? form : undefined;
}

const SHORTEST = 8;
const LONGEST = 1000;
const LONG_ENOUGH = 15;

/** The finalizer of MurmurHash3 (32 bits), by Austin Appleby. */
function finished(value: number): number {
  let hashed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  hashed = Math.imul(hashed ^ (hashed >>> 13), 0xc2b2ae35);
  return hashed ^ (hashed >>> 16);
}

function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
