import type { Storage } from '../../core/ports/storage.ts';

/** Buffers for ranges of packs, used again and again: first touch of fresh memory is what costs most on a virtual machine. */
export class ReadBuffers {
  readonly #free: Buffer[] = [];
  readonly #allocate: (length: number) => Buffer;

  /** Those of this thread for a storage: sessions take turns, and a crowd of them must not keep some each. */
  static of(storage: Storage): ReadBuffers {
    const buffers = known.get(storage) ?? new ReadBuffers(storage);
    known.set(storage, buffers);
    return buffers;
  }

  private constructor(storage: Storage) {
    this.#allocate = (length) => storage.allocate?.(length) ?? Buffer.allocUnsafeSlow(length);
  }

  /** Runs `work` with a buffer of at least `length` bytes, which is another's afterwards. */
  async use<Result>(length: number, work: (buffer: Buffer) => Promise<Result>): Promise<Result> {
    const at = this.#free.findIndex((buffer) => buffer.length >= length);
    const buffer = at < 0 ? this.#allocate(roomFor(length)) : (this.#free.splice(at, 1)[0] as Buffer);
    try {
      return await work(buffer);
    } finally {
      if (this.#free.length >= KEPT) this.#free.shift();
      this.#free.push(buffer);
    }
  }
}

/** A power of two: ranges that grow little by little then share a buffer. What is not touched of it costs nothing. */
function roomFor(length: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(length, SMALLEST)));
}

const known = new WeakMap<Storage, ReadBuffers>();
const SMALLEST = 1024 * 1024;
const KEPT = 2;
