import { type Alphabet, alphabetOf } from './alphabets.ts';
import { SymbolPermutation } from './symbol-permutation.ts';

/** Values that a permutation remembers: FF1 costs some µs, and columns such as telephone prefixes or references repeat. */
const MOST_REMEMBERED = 4096;
/** V8 keeps the whole text alive of which a longer string was cut; shorter ones are copied. */
const LONGEST_REMEMBERED = 12;

/**
 * A keyed permutation of texts: each letter becomes a letter of the same script and case, each digit a digit, all else stays. Injective, as long as the two
 * that are compared have the same `keep`.
 */
export class ClassPermutation {
  readonly #symbols: SymbolPermutation;
  readonly #remembered = new Map<string, string>();

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    this.#symbols = new SymbolPermutation(key);
  }

  /**
   * @param keep letters and digits at the beginning that stay; of a text that has no more of them, none does
   * @throws RangeError for a letter of a script that has no alphabet here: it is not passed on
   */
  of(text: string, keep = 0): string {
    if (text.length > LONGEST_REMEMBERED) return this.#made(text, keep);
    const name = keep === 0 ? text : `${keep}|${text}`;
    const known = this.#remembered.get(name);
    if (known !== undefined) return known;
    const made = this.#made(text, keep);
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(name, made);
    return made;
  }

  /** Whether a text has more than so many letters and digits, so that some are permuted behind as many that are kept. */
  hasMoreThan(text: string, count: number): boolean {
    let found = 0;
    for (const character of text) {
      if (alphabetOf(character.codePointAt(0) ?? 0) !== undefined && ++found > count) return true;
    }
    return false;
  }

  #made(text: string, keep: number): string {
    const units: number[] = [];
    const places: number[] = [];
    const alphabets: Alphabet[] = [];
    let kept = keep;
    let hasKept = false;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      units.push(unit);
      const isPair = unit >= 0xd800 && unit <= 0xdbff && at + 1 < text.length;
      const alphabet = alphabetOf(isPair ? (text.codePointAt(at) ?? unit) : unit);
      if (isPair && (text.codePointAt(at) ?? 0) > 0xffff) units.push(text.charCodeAt(++at));
      if (alphabet === undefined) continue;
      if (kept > 0) {
        kept--;
        hasKept = true;
        continue;
      }
      places.push(units.length - 1);
      alphabets.push(alphabet);
    }
    // The form says which texts are too short, so that no two come to the same.
    if (hasKept && places.length === 0) return this.#made(text, 0);
    const symbols = places.map((place, index) => (units[place] ?? 0) - (alphabets[index]?.first ?? 0));
    const permuted = this.#symbols.of(
      symbols,
      alphabets.map(({ size }) => size),
    );
    for (const [index, place] of places.entries()) {
      units[place] = (permuted[index] ?? 0) + (alphabets[index]?.first ?? 0);
    }
    return textOf(units);
  }
}

/** In pieces: a call takes no more than some ten thousand arguments. */
function textOf(units: readonly number[]): string {
  if (units.length <= 4096) return String.fromCharCode(...units);
  let text = '';
  for (let at = 0; at < units.length; at += 4096) text += String.fromCharCode(...units.slice(at, at + 4096));
  return text;
}
