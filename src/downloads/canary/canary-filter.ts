import { randomBytes } from 'node:crypto';
import type { ByteValues } from '../masking/byte-values.ts';
import type { CanaryMemory } from '../masking/masking-run.ts';
import { isBlank } from '../masking/normalisation.ts';
import { mixed } from '../mixed.ts';

/**
 * Words of 32 bits that lie together in memory; a value sets two bits in each word of its block, so that it costs one look into memory and
 * not eight, and four writes.
 */
const BLOCK_WORDS = 4;
/** Bits of a value in a word; they may be the same. */
const WORD_BITS = 2;
/** Odd numbers that spread a value's bits over the words of its block; any will do. */
const SPREADS: readonly number[] = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d];
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
  /** Of values that are still to be added: where their blocks begin, what decides their bits, and the first word that was there. */
  #waiting = new Int32Array(0);

  constructor({ originals, secret }: CanaryMemory) {
    this.#words = new Int32Array(originals.buffer, originals.byteOffset, originals.byteLength / 4);
    this.#blockMask = this.#words.length / BLOCK_WORDS - 1;
    const seeds = new DataView(secret.buffer, secret.byteOffset, secret.byteLength);
    this.#seeds = [seeds.getInt32(0), seeds.getInt32(4)];
  }

  /** Two numbers that stand for a value; nothing can be read off them without the secret. */
  hashOf(value: string): [number, number] {
    let [one, other] = this.#seeds;
    const { length } = value;
    for (let at = 0; at < length; at += 4) {
      let word = value.charCodeAt(at);
      if (at + 1 < length) word ^= value.charCodeAt(at + 1) << 8;
      if (at + 2 < length) word ^= value.charCodeAt(at + 2) << 16;
      if (at + 3 < length) word ^= value.charCodeAt(at + 3) << 24;
      one = mixedOnce(one, word);
      other = mixedOtherwise(other, word);
    }
    return [mixed(one ^ length), mixed(other ^ one) | 1];
  }

  add([one, other]: readonly [number, number]): void {
    const first = this.#firstWord(one);
    this.#set(first, other, this.#words[first] as number);
  }

  /** As `tracedForm` and `hashOf` do, in one go, of a part of a text; undefined where that is not traced. */
  hashTraced(text: string, start = 0, end = text.length): [number, number] | undefined {
    let [from, to] = [start, end];
    while (from < to && isBlank(text.charCodeAt(from))) from++;
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
    const length = to - from;
    if (length < SHORTEST_TRACED) return undefined;
    if (length > LONGEST) return this.#hashForm(text.slice(from, to));
    let [one, other] = this.#seeds;
    let [beyond, letters] = [0, 0];
    for (let at = from; at < to; at += 4) {
      const first = text.charCodeAt(at);
      const second = at + 1 < to ? text.charCodeAt(at + 1) : 0;
      const third = at + 2 < to ? text.charCodeAt(at + 2) : 0;
      const fourth = at + 3 < to ? text.charCodeAt(at + 3) : 0;
      beyond |= first | second | third | fourth;
      const word = first | (second << 8) | (third << 16) | (fourth << 24);
      const found = lettersOf(word);
      letters |= found;
      const small = inSmall(word, found);
      one = mixedOnce(one, small);
      other = mixedOtherwise(other, small);
    }
    if (beyond > LAST_ASCII) return this.#hashForm(text.slice(from, to));
    if (length < LONG_ENOUGH && letters === 0) return undefined;
    return [mixed(one ^ length), mixed(other ^ one) | 1];
  }

  #hashForm(text: string): [number, number] | undefined {
    const form = tracedForm(text);
    return form === undefined ? undefined : this.hashOf(form);
  }

  /** Adds a value, if it is traced. */
  addTraced(value: string): void {
    const hash = this.hashTraced(value);
    if (hash !== undefined) this.add(hash);
  }

  /** The same of many values: there is one for each value that is masked. */
  addAllTraced(values: ByteValues): void {
    const { starts, ends, count } = values;
    if (this.#waiting.length < 3 * count) this.#waiting = new Int32Array(3 * count);
    const [waiting, words] = [this.#waiting, this.#words];
    let end = 0;
    for (let index = 0; index < count; index++)
      end = this.#hashAscii(values, starts[index] as number, ends[index] as number, end);
    // Memory is far away, but many reads are on their way at once; a write would wait for each.
    for (let at = 0; at < end; at += 3) waiting[at + 2] = words[waiting[at] as number] as number;
    for (let at = 0; at < end; at += 3)
      this.#set(waiting[at] as number, waiting[at + 1] as number, waiting[at + 2] as number);
  }

  /** Notes what stands for a value, if it is traced; where the next may be noted. Others than ASCII are added at once. */
  #hashAscii({ bytes, view }: ByteValues, start: number, end: number, at: number): number {
    let [from, to] = [start, end];
    while (from < to && isBlank(bytes[from] as number)) from++;
    while (to > from && isBlank(bytes[to - 1] as number)) to--;
    const length = to - from;
    if (length < SHORTEST_TRACED) return at;
    let [one, other] = this.#seeds;
    // Bits of bytes that are not ASCII, and of letters.
    let [beyond, letters] = [0, 0];
    const [whole, rest] = [to - (length & 3), length & 3];
    for (let place = from; place < whole; place += 4) {
      const word = view.getInt32(place, true);
      const found = lettersOf(word);
      beyond |= word;
      letters |= found;
      const small = inSmall(word, found);
      one = mixedOnce(one, small);
      other = mixedOtherwise(other, small);
    }
    if (rest > 0) {
      // Of the last four bytes, those that were not read yet: a value that is traced is longer.
      const word = view.getInt32(to - 4, true) >>> (32 - 8 * rest);
      const found = lettersOf(word);
      beyond |= word;
      letters |= found;
      const small = inSmall(word, found);
      one = mixedOnce(one, small);
      other = mixedOtherwise(other, small);
    }
    if ((beyond & BEYOND_ASCII) !== 0) {
      this.addTraced(bytes.toString('utf8', start, end));
      return at;
    }
    if (length > LONGEST || (length < LONG_ENOUGH && letters === 0)) return at;
    this.#waiting[at] = this.#firstWord(mixed(one ^ length));
    this.#waiting[at + 1] = mixed(other ^ one) | 1;
    return at + 3;
  }

  #firstWord(one: number): number {
    return (one & this.#blockMask) * BLOCK_WORDS;
  }

  /** @param seen what the first word was; it can only have got more bits */
  #set(first: number, other: number, seen: number): void {
    const words = this.#words;
    let known = seen;
    for (let word = 0; word < BLOCK_WORDS; word++) {
      if (word > 0) known = words[first + word] as number;
      const bits = bitsAt(word, other);
      // To look first is several times cheaper where a value comes again.
      if ((known & bits) !== bits) Atomics.or(words, first + word, bits);
    }
  }

  has([one, other]: readonly [number, number]): boolean {
    const first = this.#firstWord(one);
    for (let word = 0; word < BLOCK_WORDS; word++) {
      const bits = bitsAt(word, other);
      if (((this.#words[first + word] ?? 0) & bits) !== bits) return false;
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
        product *= (bits / 32) ** WORD_BITS;
      }
      mistakes += product;
    }
    const bits = words.length * 32;
    const count = Math.round((-bits / (BLOCK_WORDS * WORD_BITS)) * Math.log(1 - ones / bits));
    return { count, mistakes: mistakes / (words.length / BLOCK_WORDS) };
  }
}

/**
 * Whether it would be no coincidence if a value came up again: names of cities and numbers of a few digits do by themselves. What is
 * compared is without case and blanks around it.
 */
export function tracedForm(value: string): string | undefined {
  const text = value.trim();
  if (text.length < SHORTEST_TRACED || text.length > LONGEST) return undefined;
  const form = text.toLowerCase();
  return form.length >= LONG_ENOUGH || /\p{L}/u.test(form) ? form : undefined;
}

const LAST_ASCII = 0x7f;
/** The highest bit of each of four bytes. */
const BEYOND_ASCII = 0x80808080;

/** Has the highest bit of each of four bytes of ASCII that is a letter. */
function lettersOf(word: number): number {
  const small = (word | 0x20202020) & 0x7f7f7f7f;
  return (small + 0x1f1f1f1f) & ~(small + 0x05050505) & BEYOND_ASCII;
}

/** The same four bytes with small letters. @param letters of them */
function inSmall(word: number, letters: number): number {
  return word | ((letters & ~(word << 2)) >>> 2);
}

/** Characters of the shortest value that is traced. */
export const SHORTEST_TRACED = 8;
const LONGEST = 1000;
const LONG_ENOUGH = 15;

/** The bits of a value in a word of its block. */
function bitsAt(word: number, other: number): number {
  const spread = Math.imul(other, SPREADS[word] as number);
  return (1 << (spread >>> 27)) | (1 << ((spread >>> 22) & 31));
}

/** As MurmurHash3 (32 bits) takes in four bytes. */
function mixedOnce(hash: number, word: number): number {
  const first = Math.imul(word, 0xcc9e2d51);
  const second = hash ^ Math.imul((first << 15) | (first >>> 17), 0x1b873593);
  return Math.imul((second << 13) | (second >>> 19), 5) + 0xe6546b64;
}

/** Another way, so that what comes to the same by one does not by both. */
function mixedOtherwise(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x5bd1e995);
  return product ^ (product >>> 15);
}

function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
