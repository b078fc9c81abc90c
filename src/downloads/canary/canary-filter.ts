import { randomBytes } from 'node:crypto';
import type { CanaryMemory } from '../masking/masking-run.ts';

/**
 * Words of 32 bits that lie together in memory; a value sets one bit in each word of its block, so that it costs one look into memory and
 * not eight.
 */
const BLOCK_WORDS = 8;
/** Odd numbers that spread a value's bits over the words of its block; any will do. */
const SPREADS: readonly number[] = [
  ...[0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d],
  ...[0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31],
];
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
 * The originals that were seen, as a Bloom filter in memory that threads share. It is split into blocks as in Putze, Sanders and Singler, "Cache-, Hash- and
 * Space-Efficient Bloom Filters" (2007). It is in memory only, for as long as one production takes.
 */
export class CanaryFilter {
  readonly #words: Int32Array;
  readonly #blockMask: number;
  readonly #seeds: readonly [number, number];

  constructor({ originals, secret }: CanaryMemory) {
    this.#words = new Int32Array(originals.buffer, originals.byteOffset, originals.byteLength / 4);
    this.#blockMask = this.#words.length / BLOCK_WORDS - 1;
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
    this.#set(one, other);
  }

  /** As `tracedForm`, `hashOf` and `add` do, in one go: there is one for each value that is masked. */
  addTraced(value: string): void {
    let [from, to] = [0, value.length];
    while (from < to && isBlank(value.charCodeAt(from))) from++;
    while (to > from && isBlank(value.charCodeAt(to - 1))) to--;
    const length = to - from;
    if (length > LONGEST || !this.#addAscii(value, from, to)) this.#addOther(value);
  }

  /** False where something else than ASCII comes. */
  #addAscii(value: string, from: number, to: number): boolean {
    let one = this.#seeds[0];
    let other = this.#seeds[1];
    let letters = 0;
    for (let at = from; at < to; at++) {
      let code = value.charCodeAt(at);
      if (code > 127) return false;
      if (code >= 65 && code <= 90) code += 32;
      if (code >= 97 && code <= 122) letters++;
      one = Math.imul(one ^ code, 0x01000193);
      other = Math.imul((other ^ code) + (other << 7), 0x5bd1e995);
    }
    const length = to - from;
    if (length >= LONG_ENOUGH || (length >= SHORTEST && letters > 0))
      this.#set(finished(one ^ length), finished(other ^ one) | 1);
    return true;
  }

  #addOther(value: string): void {
    const form = tracedForm(value);
    if (form !== undefined) this.add(this.hashOf(form));
  }

  #set(one: number, other: number): void {
    const words = this.#words;
    const first = (one & this.#blockMask) * BLOCK_WORDS;
    for (let word = 0; word < BLOCK_WORDS; word++) {
      const bit = 1 << (Math.imul(other, SPREADS[word] ?? 1) >>> 27);
      // To look first is several times cheaper where a value comes again.
      if (((words[first + word] ?? 0) & bit) === 0) Atomics.or(words, first + word, bit);
    }
  }

  has([one, other]: readonly [number, number]): boolean {
    const first = (one & this.#blockMask) * BLOCK_WORDS;
    for (let word = 0; word < BLOCK_WORDS; word++) {
      const bit = 1 << (Math.imul(other, SPREADS[word] ?? 1) >>> 27);
      if (((this.#words[first + word] ?? 0) & bit) === 0) return false;
    }
    return true;
  }

  /**
   * `count`: about how many different values were added, after Swamidass and Baldi (2007); `mistakes`: how likely a value that was never added is found
   * all the same. Reads all of the memory.
   */
  fill(): { count: number; mistakes: number } {
    const words = this.#words;
    let [ones, mistakes] = [0, 0];
    for (let first = 0; first < words.length; first += BLOCK_WORDS) {
      if (words[first] === 0) continue;
      let product = 1;
      for (let word = first; word < first + BLOCK_WORDS; word++) {
        const bits = bitsOf(words[word] ?? 0);
        ones += bits;
        product *= bits / 32;
      }
      mistakes += product;
    }
    const bits = words.length * 32;
    const count = Math.round((-bits / BLOCK_WORDS) * Math.log(1 - ones / bits));
    return { count, mistakes: mistakes / (words.length / BLOCK_WORDS) };
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

/** What `trim` takes away, of ASCII. */
function isBlank(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
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
