import type { Duplex } from 'node:stream';
import { ReadingSocket } from './reading-socket.ts';

/**
 * Pieces of what a socket reads, on their way to somebody who may be slower: the socket waits then. Memory of a `ReadingSocket` is used again once
 * the reader of `all` is done with it.
 */
export class SocketPieces {
  readonly #stream: Duplex;
  readonly #mostBytes: number;
  readonly #mostWaiting: number;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #isOver = false;
  #failure: unknown;
  #wake: () => void = ignore;

  /** @param mostBytes that wait before the socket does */
  constructor(stream: Duplex, mostBytes = MOST_BYTES) {
    this.#stream = stream;
    this.#mostBytes = mostBytes;
    this.#mostWaiting = Math.ceil(mostBytes / LITTLE_BYTES);
  }

  /** @param bytes what a listener of the stream was just given, or a part of that */
  add(bytes: Uint8Array): void {
    if (this.#stream instanceof ReadingSocket) this.#stream.keep();
    const last = this.#waiting.at(-1);
    const isNext = last?.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset;
    if (last !== undefined && isNext)
      this.#waiting[this.#waiting.length - 1] = new Uint8Array(
        last.buffer,
        last.byteOffset,
        last.length + bytes.length,
      );
    else this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= this.#mostBytes || this.#waiting.length >= this.#mostWaiting) this.#stream.pause();
    // Not with every few kilobytes that a server sends: what follows would take longer for each than reading it.
    if (this.#isEnough) this.#wake();
  }

  get #isEnough(): boolean {
    return this.#bytes >= ENOUGH_BYTES || this.#waiting.length >= this.#mostWaiting;
  }

  /** No more will come. @param failure what the reader is to be told, after what came before */
  end(failure?: unknown): void {
    this.#failure ??= failure;
    this.#isOver = true;
    this.#wake();
  }

  /** Each piece stays as it is until the next one is asked for. */
  async *all(): AsyncGenerator<Uint8Array> {
    const stream = this.#stream;
    for (;;) {
      while (this.#waiting.length > 0 && (this.#isOver || this.#isEnough)) {
        const pieces = this.#waiting;
        this.#waiting = [];
        this.#bytes = 0;
        const kept = stream instanceof ReadingSocket ? stream.takeKept() : [];
        yield* pieces;
        if (stream instanceof ReadingSocket) stream.giveBack(kept);
        if (stream.isPaused()) stream.resume();
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const ENOUGH_BYTES = 64 * 1024;
const MOST_BYTES = 1024 * 1024;
/** No more pieces wait than if each had so many bytes. */
const LITTLE_BYTES = 16 * 1024;
const ignore = (): void => undefined;
