import { hash } from 'node:crypto';
import { Ff1, SMALLEST_DOMAIN } from './ff1.ts';
import { IntegerPermutation, LARGEST_NUMBER } from './integer-permutation.ts';

/** Longer strings are permuted in parts: the numbers of a part are then small enough for its cost to grow with the length alone. */
const LONGEST_PART = 40;
/** So many permutations are kept prepared, and then dropped all at once. */
const MOST_PREPARED = 256;
/** Bytes that they may take together: text of ever other forms must not fill the memory. Those that come later remember nothing and are slower. */
const MOST_MEMORY = 16 * 2 ** 20;

/**
 * A keyed permutation of strings of symbols in which each place has an alphabet of its own: what comes out has the same length and alphabets.
 * A string over one alphabet goes through FF1 of that radix; a mixed one, or one of fewer than 1,000,000 possibilities, through `IntegerPermutation`
 * of the number that it makes. Of more than 40 symbols, each part is permuted under a tweak made of all before it: equal beginnings of such long strings stay equal.
 */
export class SymbolPermutation {
  readonly #key: Uint8Array;
  readonly #uniform = new Map<number, Ff1>();
  readonly #mixed = new Map<bigint, IntegerPermutation>();
  #memory = 0;

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** @param symbols each in [0, radix of its place) @param radixes of the places, each 2 to 65536 */
  of(symbols: readonly number[], radixes: readonly number[]): number[] {
    const length = symbols.length;
    if (length <= LONGEST_PART) return this.#part(symbols, radixes, '');
    const parts = Math.ceil(length / LONGEST_PART);
    const result: number[] = [];
    let chained = '';
    for (let part = 0; part < parts; part++) {
      const from = Math.floor((part * length) / parts);
      const to = Math.floor(((part + 1) * length) / parts);
      const symbolsOfPart = symbols.slice(from, to);
      result.push(...this.#part(symbolsOfPart, radixes.slice(from, to), chained));
      chained = hash('sha256', `${chained}|${symbolsOfPart.join(',')}`, 'hex').slice(0, 16);
    }
    return result;
  }

  #part(symbols: readonly number[], radixes: readonly number[], tweak: string): number[] {
    const [radix] = radixes;
    if (radix === undefined) return [];
    const isUniform = radixes.every((other) => other === radix);
    if (isUniform && radix ** symbols.length >= SMALLEST_DOMAIN) {
      return this.#ff1(radix, symbols.length, tweak).encrypt(symbols);
    }
    return this.#permuted(symbols, radixes, tweak);
  }

  #permuted(symbols: readonly number[], radixes: readonly number[], tweak: string): number[] {
    const size = radixes.reduce((product, radix) => product * radix, 1);
    if (size > LARGEST_NUMBER) return this.#permutedLarge(symbols, radixes, tweak);
    let value = 0;
    for (let index = 0; index < symbols.length; index++) value = value * (radixes[index] ?? 1) + (symbols[index] ?? 0);
    let rest = this.#permutation(BigInt(size), tweak).ofNumber(value);
    const result = new Array<number>(symbols.length);
    for (let index = symbols.length - 1; index >= 0; index--) {
      const radix = radixes[index] ?? 1;
      result[index] = rest % radix;
      rest = Math.floor(rest / radix);
    }
    return result;
  }

  #permutedLarge(symbols: readonly number[], radixes: readonly number[], tweak: string): number[] {
    let value = 0n;
    let size = 1n;
    for (let index = 0; index < symbols.length; index++) {
      const radix = BigInt(radixes[index] ?? 1);
      value = value * radix + BigInt(symbols[index] ?? 0);
      size *= radix;
    }
    let rest = this.#permutation(size, tweak).of(value);
    const result = new Array<number>(symbols.length);
    for (let index = symbols.length - 1; index >= 0; index--) {
      const radix = BigInt(radixes[index] ?? 1);
      result[index] = Number(rest % radix);
      rest /= radix;
    }
    return result;
  }

  #ff1(radix: number, length: number, tweak: string): Ff1 {
    if (tweak !== '') return new Ff1(this.#key, radix, length, Buffer.from(tweak, 'hex'), 0);
    const name = radix * 64 + length;
    const known = this.#uniform.get(name);
    if (known !== undefined) return known;
    const made = new Ff1(this.#key, radix, length, Buffer.alloc(0), this.#memoryLeft());
    this.#uniform.set(name, made);
    this.#memory += made.memory;
    return made;
  }

  #permutation(size: bigint, tweak: string): IntegerPermutation {
    if (tweak !== '') return new IntegerPermutation(this.#key, size, `symbols/${tweak}`, 0);
    const known = this.#mixed.get(size);
    if (known !== undefined) return known;
    const made = new IntegerPermutation(this.#key, size, 'symbols', this.#memoryLeft());
    this.#mixed.set(size, made);
    this.#memory += made.memory;
    return made;
  }

  /** For one more; drops all where there are too many, or their tables take too much. */
  #memoryLeft(): number {
    if (this.#uniform.size + this.#mixed.size >= MOST_PREPARED || this.#memory > 2 * MOST_MEMORY) {
      this.#uniform.clear();
      this.#mixed.clear();
      this.#memory = 0;
    }
    return Math.max(0, MOST_MEMORY - this.#memory);
  }
}
