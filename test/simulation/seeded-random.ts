/** Numbers that a seed decides: sfc32 (PractRand, Chris Doty-Humphrey). */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = 0x9e3779b9;
    this.#c = Math.imul(seed, 0x85ebca6b) | 0;
    for (let round = 0; round < 15; round++) this.#next();
  }

  /** A whole number from 0 up to, but not with, `limit`. */
  below(limit: number): number {
    return Math.floor((this.#next() / 4294967296) * limit);
  }

  chance(probability: number): boolean {
    return this.#next() < probability * 4294967296;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at++) bytes[at] = this.#next();
    return bytes;
  }

  #next(): number {
    const result = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }
}
