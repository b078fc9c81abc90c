import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ReadingSocket } from '../../process/reading-socket.ts';

/** A pipe for the output of a tool whose reading end, unlike that of the pipes of Node.js, reads to memory that is used again. */
export class ToolPipe {
  /** For the tool. It is to be destroyed here once the tool was started, or what the tool writes never ends. */
  readonly writing: Socket;
  readonly #reading: ReadingSocket;
  #waiting: Buffer[] = [];
  #isOver = false;
  #failure: unknown;
  #wake: () => void = ignore;

  private constructor(reading: ReadingSocket, writing: Socket) {
    this.#reading = reading;
    this.writing = writing;
    reading.on('piece', (bytes: Buffer) => this.#take(bytes));
    reading.on('error', (error) => {
      this.#failure ??= error;
    });
    for (const over of ['end', 'close'])
      reading.on(over, () => {
        this.#isOver = true;
        this.#wake();
      });
  }

  /** @returns undefined where the folder of temporary files takes no sockets */
  static async open(): Promise<ToolPipe | undefined> {
    const server = createServer({ pauseOnConnect: true });
    let folder: string | undefined;
    try {
      // Nobody else may enter it.
      folder = await mkdtemp(path.join(tmpdir(), 'holdfast-pipe-'));
      const place = path.join(folder, 'socket');
      server.listen(place);
      await once(server, 'listening');
      const reading = new ReadingSocket();
      const coming = once(server, 'connection');
      reading.connect(place);
      const [[writing]] = await Promise.all([coming as Promise<[Socket]>, once(reading, 'connect')]);
      return new ToolPipe(reading, writing);
    } catch {
      return undefined;
    } finally {
      server.close();
      // The pipe is open by then, and an empty folder that stays harms nobody.
      if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  /** What the tool writes, to its end. Each piece stays as it is until the next one is asked for. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    const reading = this.#reading;
    for (;;) {
      while (this.#waiting.length > 0) {
        const pieces = this.#waiting;
        this.#waiting = [];
        const kept = reading.takeKept();
        yield* pieces;
        reading.giveBack(kept);
        if (reading.isPaused()) reading.resume();
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** A tool that still writes fails then. */
  close(): void {
    this.writing.destroy();
    this.#reading.destroy();
  }

  #take(bytes: Buffer): void {
    this.#reading.keep();
    this.#waiting.push(bytes);
    if (this.#waiting.length >= MOST_WAITING) this.#reading.pause();
    this.#wake();
  }
}

const MOST_WAITING = 8;
const ignore = (): void => undefined;
