/** Memory that grows to what was needed at most, and that each use overwrites. */
export class ReusedMemory {
  #memory = Buffer.alloc(0);

  /** @param length bytes; what is given has more, up to a grain */
  atLeast(length: number): Buffer {
    if (this.#memory.length < length) this.#memory = Buffer.allocUnsafeSlow(Math.ceil(length / GRAIN) * GRAIN);
    return this.#memory;
  }
}

const GRAIN = 256 * 1024;
