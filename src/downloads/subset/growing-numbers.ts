const BLOCK = 1 << 16;

/** Numbers that come one after the other, without the copying that one growing array takes. */
export class GrowingNumbers<Numbers extends Uint32Array | Float64Array> {
  length = 0;
  readonly #blocks: Numbers[] = [];
  readonly #make: (length: number) => Numbers;

  constructor(make: (length: number) => Numbers) {
    this.#make = make;
  }

  push(value: number): void {
    const index = this.length++ % BLOCK;
    if (index === 0) this.#blocks.push(this.#make(BLOCK));
    const block = this.#blocks[this.#blocks.length - 1];
    if (block !== undefined) block[index] = value;
  }

  /** In one array. Nothing is left here. */
  taken(): Numbers {
    const all = this.#make(this.length);
    for (const [at, block] of this.#blocks.entries()) {
      const from = at * BLOCK;
      all.set(block.subarray(0, this.length - from), from);
    }
    this.#blocks.length = 0;
    this.length = 0;
    return all;
  }
}
