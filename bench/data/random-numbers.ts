/**
 * Repeatable pseudo-random numbers: equal seeds give equal numbers on every machine. The generator is sfc32 (Chris
 * Doty-Humphrey, PractRand), which is fast in plain JavaScript; it is not for secrets.
 */
export class RandomNumbers {
  #a = 0x9e3779b9;
  #b: number;
  #c = 0x243f6a88;
  #counter = 1;

  /** @param seeds whole numbers; two generators differ as soon as one of them differs */
  constructor(...seeds: readonly number[]) {
    this.#b = 0xb7e15162;
    for (const seed of seeds) {
      this.#a ^= seed | 0;
      for (let round = 0; round < 12; round++) this.next();
    }
  }

  /** A whole number from 0 to 2³² - 1. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** An index from 0 to `limit` - 1, small ones far more often than large ones, as words are used in texts. */
  skewedBelow(limit: number): number {
    const share = this.next() / 2 ** 32;
    return Math.floor(share * share * share * limit);
  }

  /** Normally distributed, mean 0, deviation 1 (Box and Muller, 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.next() + 1) / 2 ** 32));
    return radius * Math.cos((2 * Math.PI * this.next()) / 2 ** 32);
  }
}
