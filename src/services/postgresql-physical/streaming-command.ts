import type { Connection, Submittable } from 'pg';
import { ReadingSocket } from '../../process/reading-socket.ts';
import { CopyDataTap } from './copy-data-tap.ts';

/** What the server answers to a replication command, in the order of the protocol. */
export type CommandMessage =
  | { kind: 'columns'; names: readonly string[] }
  | { kind: 'row'; values: readonly (string | null)[] }
  | { kind: 'complete' }
  | { kind: 'copy-begin' }
  /** Of one message of a copy stream, or a piece of a long one; `continues`: of the same as the piece before. */
  | { kind: 'data'; bytes: Buffer; continues: boolean }
  | { kind: 'copy-end' };

/** Bytes that wait for their reader before the socket is paused, and until it goes on. */
const PAUSE_AT = 512 * 1024;
const RESUME_AT = 128 * 1024;

/**
 * A command of the simple query protocol whose answer may hold several result sets and copy streams (BASE_BACKUP), for
 * `pg.Client.query`. The socket is paused while the reader is behind, so that memory stays bounded and the server waits.
 */
export class StreamingCommand implements Submittable {
  readonly #text: string;
  #waiting: CommandMessage[] = [];
  readonly #failureOf: (error: unknown) => Error;
  #connection: Connection | undefined;
  #tap: CopyDataTap | undefined;
  #bytesWaiting = 0;
  #paused = false;
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = ignore;

  /** @param failureOf what `batches` rejects with for an error of the server (`pg.DatabaseError`) or the connection */
  constructor(text: string, failureOf: (error: unknown) => Error) {
    this.#text = text;
    this.#failureOf = failureOf;
  }

  /**
   * All messages that are there at once, again and again: a step of an asynchronous iteration for each piece of a copy stream takes longer
   * than what is done with it. Their bytes stay as they are until the next are asked for. Rejects after all that came before the error.
   */
  async *batches(): AsyncGenerator<readonly CommandMessage[]> {
    for (;;) {
      while (this.#waiting.length > 0) {
        const messages = this.#waiting;
        const bytes = this.#bytesWaiting;
        this.#waiting = [];
        const stream = this.#connection?.stream;
        const kept = stream instanceof ReadingSocket ? stream.takeKept() : [];
        yield messages;
        if (stream instanceof ReadingSocket) stream.giveBack(kept);
        this.#taken(bytes);
      }
      if (this.#failure !== undefined) throw this.#failureOf(this.#failure);
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        // Not at once, so that all that the socket has comes together.
        this.#wake = () => {
          this.#wake = ignore;
          setImmediate(resolve);
        };
      });
    }
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    connection.on('copyOutResponse', this.#copyBegins);
    connection.on('copyDone', this.#copyEnds);
    this.#tap = new CopyDataTap(connection.stream, this.#takeCopyData);
    connection.query(this.#text);
  }

  handleRowDescription({ fields }: { fields: readonly { name: string }[] }): void {
    this.#push({ kind: 'columns', names: fields.map(({ name }) => name) });
  }

  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    this.#push({ kind: 'row', values: fields });
  }

  handleCommandComplete(): void {
    this.#push({ kind: 'complete' });
  }

  handleError(error: Error): void {
    this.#failure ??= error;
    this.#finish();
  }

  handleReadyForQuery(): void {
    this.#finish();
  }

  handleEmptyQuery(): void {
    this.#push({ kind: 'complete' });
  }

  handlePortalSuspended(): void {
    this.handleError(new Error('The server suspended a command of the simple query protocol.'));
  }

  readonly #takeCopyData = (bytes: Buffer, continues: boolean): void => {
    const stream = this.#connection?.stream;
    if (stream instanceof ReadingSocket) stream.keep();
    this.#bytesWaiting += bytes.length;
    this.#push({ kind: 'data', bytes, continues });
    if (this.#paused || this.#bytesWaiting < PAUSE_AT) return;
    this.#paused = true;
    this.#connection?.stream.pause();
  };
  readonly #copyBegins = (): void => this.#push({ kind: 'copy-begin' });
  readonly #copyEnds = (): void => this.#push({ kind: 'copy-end' });

  #push(message: CommandMessage): void {
    this.#waiting.push(message);
    this.#wake();
  }

  #taken(bytes: number): void {
    this.#bytesWaiting -= bytes;
    if (!this.#paused || this.#bytesWaiting > RESUME_AT) return;
    this.#paused = false;
    this.#connection?.stream.resume();
  }

  #finish(): void {
    this.#ended = true;
    this.#tap?.remove();
    this.#connection?.off('copyOutResponse', this.#copyBegins);
    this.#connection?.off('copyDone', this.#copyEnds);
    this.#wake();
  }
}

const ignore = (): void => undefined;
