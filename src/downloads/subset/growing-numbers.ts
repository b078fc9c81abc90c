const BLOCK = 1 << 16;

type Numbers = Uint32Array | Float64Array;

/** Numbers that come one after the other, without the copying that one growing array takes. */
export class GrowingNumbers {
  length = 0;
  readonly #blocks: Numbers[] = [];
  readonly #make: () => Numbers;

  constructor(kind: 'uint32' | 'float64') {
    this.#make = () => (kind === 'uint32' ? new Uint32Array(BLOCK) : new Float64Array(BLOCK));
  }

  push(value: number): void {
    const index = this.length++ % BLOCK;
    if (index === 0) this.#blocks.push(this.#make());
    const block = this.#blocks.at(-1);
    if (block !== undefined) block[index] = value;
  }

  at(index: number): number {
    return this.#blocks[Math.floor(index / BLOCK)]?.[index % BLOCK] ?? 0;
  }
}
