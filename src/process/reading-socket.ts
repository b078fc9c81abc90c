import { Socket } from 'node:net';

/**
 * A socket that reads to memory which is used again: where megabytes come, collecting the buffers that Node.js makes for them takes longer
 * than reading. Listeners of `piece` get that memory itself and must be done with it when they return, or `keep` it until they give
 * it back. Without such listeners `data` comes, with copies, as from any socket.
 */
export class ReadingSocket extends Socket {
  readonly #free: Buffer[] = [];
  #kept: Buffer[] = [];
  #current: Buffer | undefined;
  #isKept = false;

  constructor() {
    super({ onread: { buffer: () => this.#memory(), callback: (length) => this.#give(length) } });
  }

  /** To be called by a listener of `piece`: what it was given stays as it is until that is given back. */
  keep(): void {
    this.#isKept = true;
  }

  /** Bytes of memory that were kept since `takeKept` was called last: each read takes the whole of a buffer, however little came. */
  get keptBytes(): number {
    return this.#kept.length * READ_BYTES;
  }

  /** All memory that was kept since this was called last. */
  takeKept(): readonly Buffer[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  giveBack(buffers: readonly Buffer[]): void {
    this.#free.push(...buffers.slice(0, MOST_FREE - this.#free.length));
  }

  #memory(): Buffer {
    this.#current ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
    return this.#current;
  }

  /** @returns whether to go on reading */
  #give(length: number): boolean {
    const read = this.#memory();
    const bytes = read.subarray(0, length);
    this.#isKept = false;
    if (!this.emit('piece', bytes)) this.emit('data', Buffer.from(bytes));
    if (this.#isKept) {
      this.#kept.push(read);
      this.#current = undefined;
    }
    return !this.isPaused();
  }
}

const READ_BYTES = 128 * 1024;
const MOST_FREE = 16;
