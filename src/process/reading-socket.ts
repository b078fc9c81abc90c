import { Socket } from 'node:net';

/**
 * A socket that reads to memory which is used again: where megabytes come, collecting the buffers that Node.js makes for them takes longer
 * than reading. Listeners of `piece` get that memory itself and must be done with it when they return, or `keep` it until they give
 * it back. Without such listeners `data` comes, with copies, as from any socket.
 */
export class ReadingSocket extends Socket {
  readonly #mostFree: number;
  readonly #free: Buffer[] = [];
  #kept: Buffer[] = [];
  #current: Buffer | undefined;
  /** Bytes of it that were kept: what comes next lies behind them. */
  #filled = 0;
  #isKept = false;

  /** @param mostKept bytes that are kept at once, so that their memory is worth being used again */
  constructor(mostKept = MOST_KEPT) {
    super({ onread: { buffer: () => this.#memory(), callback: (length) => this.#give(length) } });
    this.#mostFree = Math.ceil(mostKept / READ_BYTES);
  }

  /** To be called by a listener of `piece`: what it was given stays as it is until that is given back. */
  keep(): void {
    this.#isKept = true;
  }

  /** All buffers that were filled with what was kept since this was called last. One that is not full follows with what comes next. */
  takeKept(): readonly Buffer[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  giveBack(buffers: readonly Buffer[]): void {
    this.#free.push(...buffers.slice(0, this.#mostFree - this.#free.length));
  }

  #memory(): Buffer {
    this.#current ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
    return this.#current.subarray(this.#filled);
  }

  /** @returns whether to go on reading */
  #give(length: number): boolean {
    const bytes = this.#memory().subarray(0, length);
    this.#isKept = false;
    if (!this.emit('piece', bytes)) this.emit('data', Buffer.from(bytes));
    if (this.#isKept) this.#fill(length);
    return !this.isPaused();
  }

  #fill(length: number): void {
    this.#filled += length;
    if (this.#current === undefined || READ_BYTES - this.#filled >= LEAST_BYTES) return;
    this.#kept.push(this.#current);
    this.#current = undefined;
    this.#filled = 0;
  }
}

const READ_BYTES = 128 * 1024;
/** Of the rest of a buffer for which it is worth while to read there. */
const LEAST_BYTES = 32 * 1024;
const MOST_KEPT = 2 * 1024 * 1024;
