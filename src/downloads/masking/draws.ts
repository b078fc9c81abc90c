/**
 * A sequence of numbers that a pseudonym decides: the generator sfc32 of PractRand (Chris Doty-Humphrey, public domain), whose whole state of 128 bits is
 * the pseudonym. It spreads what is secret already, and is no cipher of its own: who sees what was drawn learns nothing of the value as long as AES holds.
 */
export class Draws {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 0;

  /** @param pseudonym its 16 bytes, from `from` on */
  constructor(pseudonym: Uint8Array, from = 0) {
    this.begin(pseudonym, from);
  }

  /** Begins anew, with another pseudonym. */
  begin(pseudonym: Uint8Array, from: number): void {
    this.#a = word(pseudonym, from);
    this.#b = word(pseudonym, from + 4);
    this.#c = word(pseudonym, from + 8);
    this.#counter = word(pseudonym, from + 12);
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

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
