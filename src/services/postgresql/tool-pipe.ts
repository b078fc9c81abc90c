import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ReadingSocket } from '../../process/reading-socket.ts';
import { SocketPieces } from '../../process/socket-pieces.ts';

/** A pipe for the output of a tool whose reading end, unlike that of the pipes of Node.js, reads to memory that is used again. */
export class ToolPipe {
  /** For the tool. It is to be destroyed here once the tool was started, or what the tool writes never ends. */
  readonly writing: Socket;
  readonly #reading: ReadingSocket;
  readonly #pieces: SocketPieces;

  private constructor(reading: ReadingSocket, writing: Socket) {
    this.#reading = reading;
    this.writing = writing;
    this.#pieces = new SocketPieces(reading);
    reading.on('piece', (bytes: Buffer) => this.#pieces.add(bytes));
    reading.on('error', (error) => this.#pieces.end(error));
    for (const over of ['end', 'close']) reading.on(over, () => this.#pieces.end());
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
  pieces(): AsyncGenerator<Uint8Array> {
    return this.#pieces.all();
  }

  /** A tool that still writes fails then. */
  close(): void {
    this.writing.destroy();
    this.#reading.destroy();
  }
}
