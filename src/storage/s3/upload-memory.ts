/**
 * Buffers in which packs are put together before they go to the server, used again and again: an object cannot be sent before its
 * key is known, and what may have to be sent twice cannot be handed away in pieces. Given back to the system when a backup is over.
 */
export class UploadMemory {
  readonly #free: Buffer[] = [];
  readonly #waiting: (() => void)[] = [];
  #bytesUnderWay = 0;
  #release: NodeJS.Timeout | undefined;

  /** A buffer of at least `length` bytes, the largest free one if there is one that reaches. */
  take(length: number): Buffer {
    const largest = this.#free.at(-1);
    if (largest !== undefined && largest.length >= length) {
      this.#free.pop();
      return largest;
    }
    // Pages that nothing is written to cost nothing, so that a size may be ample.
    return Buffer.allocUnsafeSlow(SIZES.find((size) => size >= length) ?? length * 2);
  }

  /** Sends `length` bytes of these buffers. */
  async whileSending<Result>(length: number, send: () => Promise<Result>): Promise<Result> {
    this.#bytesUnderWay += length;
    try {
      return await send();
    } finally {
      this.#bytesUnderWay -= length;
      for (const look of this.#waiting.splice(0)) look();
    }
  }

  /** Resolves when another pack may fill: one beside it is on its way at most. */
  async ready(): Promise<void> {
    while (this.#bytesUnderWay > MOST_UNDER_WAY) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  giveBack(buffer: Buffer): void {
    this.#free.push(buffer);
    this.#free.sort((a, b) => a.length - b.length);
    if (this.#free.length > MOST_FREE) this.#free.shift();
    clearTimeout(this.#release);
    this.#release = setTimeout(() => this.clear(), KEPT_FOR).unref();
  }

  clear(): void {
    clearTimeout(this.#release);
    this.#free.length = 0;
  }
}

/** Bytes: two in each worker thread are what a backup costs in memory. */
export const LARGEST_PACK = 16 * 1024 * 1024;
/**
 * Bytes: for the few of a small backup, for a whole pack with the frame that closes it, and for a pack of a repository that was brought here from a
 * folder. Steps between would be touched and left again.
 */
const SIZES = [512 * 1024, LARGEST_PACK * 1.5, LARGEST_PACK * 3];
const MOST_FREE = 2;
/** Bytes: one pack, or several smaller ones. */
const MOST_UNDER_WAY = LARGEST_PACK * 1.25;
/** milliseconds */
const KEPT_FOR = 10_000;
