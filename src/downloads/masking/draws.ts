/**
 * A sequence of numbers that a pseudonym decides: the generator sfc32 of PractRand (Chris Doty-Humphrey, public domain), whose whole state of 128 bits is
 * the pseudonym. It spreads what is secret already, and is no cipher of its own: who sees what was drawn learns nothing of the value as long as SHA-256 holds.
 */
export class Draws {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** @param bytes 16 characters of U+0000 to U+00FF, as `Pseudonyms.of` gives them */
  constructor(bytes: string) {
    this.#a = word(bytes, 0);
    this.#b = word(bytes, 4);
    this.#c = word(bytes, 8);
    this.#counter = word(bytes, 12);
  }

  /** A whole number in [0, 2^32). */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number in [0, count); count at most 2^21, for which the odds differ by less than 2^-11 of a share. */
  below(count: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * count);
  }

  /** In [0, 1), of 32 bits. */
  fraction(): number {
    return this.next() / 0x1_0000_0000;
  }
}

function word(bytes: string, at: number): number {
  return (
    (bytes.charCodeAt(at) << 24) |
    (bytes.charCodeAt(at + 1) << 16) |
    (bytes.charCodeAt(at + 2) << 8) |
    bytes.charCodeAt(at + 3)
  );
}
