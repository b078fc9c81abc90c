import type { Storage } from '../../core/ports/storage.ts';

/** Buffers for ranges of packs, used again and again: first touch of fresh memory is what costs most on a virtual machine. */
export class ReadBuffers {
  readonly #free: Buffer[] = [];
  readonly #allocate: (length: number) => Buffer;

  constructor(storage: Storage) {
    this.#allocate = (length) => storage.allocate?.(length) ?? Buffer.allocUnsafeSlow(length);
  }

  /** Runs `work` with a buffer of at least `length` bytes, which is another's afterwards. */
  async use<Result>(length: number, work: (buffer: Buffer) => Promise<Result>): Promise<Result> {
    const at = this.#free.findIndex((buffer) => buffer.length >= length);
    const buffer = at < 0 ? this.#allocate(Math.max(length, SMALLEST)) : (this.#free.splice(at, 1)[0] as Buffer);
    try {
      return await work(buffer);
    } finally {
      if (this.#free.length >= KEPT) this.#free.shift();
      this.#free.push(buffer);
    }
  }
}

const SMALLEST = 1024 * 1024;
const KEPT = 2;
