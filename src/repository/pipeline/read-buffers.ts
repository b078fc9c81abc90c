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
    const buffer = at < 0 ? this.#allocate(roundedUp(length)) : (this.#free.splice(at, 1)[0] as Buffer);
    try {
      return await work(buffer);
    } finally {
      // The largest are kept: they serve for all.
      this.#free.push(buffer);
      this.#free.sort((one, other) => one.length - other.length);
      if (this.#free.length > KEPT) this.#free.shift();
    }
  }
}

const SMALLEST = 1024 * 1024;
const KEPT = 2;

/** Without it, each range that is a little longer than those before would need a buffer of its own. */
function roundedUp(length: number): number {
  return Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(length)));
}
