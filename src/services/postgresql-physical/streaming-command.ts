import type { Connection, Submittable } from 'pg';

/** What the server answers to a replication command, in the order of the protocol. */
export type CommandMessage =
  | { kind: 'columns'; names: readonly string[] }
  | { kind: 'row'; values: readonly (string | null)[] }
  | { kind: 'complete' }
  | { kind: 'copy-begin' }
  | { kind: 'data'; bytes: Buffer }
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
  readonly #waiting: CommandMessage[] = [];
  #connection: Connection | undefined;
  #bytesWaiting = 0;
  #paused = false;
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = ignore;

  constructor(text: string) {
    this.#text = text;
  }

  /** Rejects with the server's error (`pg.DatabaseError`) or the connection's, after all that came before it. */
  async *messages(): AsyncGenerator<CommandMessage> {
    for (;;) {
      while (this.#waiting.length > 0) {
        // Taken as a whole: to shift one by one from a long list is slow.
        for (const message of this.#waiting.splice(0)) {
          yield message;
          this.#taken(message);
        }
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    connection.on('copyOutResponse', this.#copyBegins);
    connection.on('copyDone', this.#copyEnds);
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

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    // The parser uses its buffer again.
    const bytes = Buffer.from(chunk);
    this.#bytesWaiting += bytes.length;
    this.#push({ kind: 'data', bytes });
    if (this.#paused || this.#bytesWaiting < PAUSE_AT) return;
    this.#paused = true;
    this.#connection?.stream.pause();
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

  readonly #copyBegins = (): void => this.#push({ kind: 'copy-begin' });
  readonly #copyEnds = (): void => this.#push({ kind: 'copy-end' });

  #push(message: CommandMessage): void {
    this.#waiting.push(message);
    this.#wake();
  }

  #taken(message: CommandMessage): void {
    if (message.kind !== 'data') return;
    this.#bytesWaiting -= message.bytes.length;
    if (!this.#paused || this.#bytesWaiting > RESUME_AT) return;
    this.#paused = false;
    this.#connection?.stream.resume();
  }

  #finish(): void {
    this.#ended = true;
    this.#connection?.off('copyOutResponse', this.#copyBegins);
    this.#connection?.off('copyDone', this.#copyEnds);
    this.#wake();
  }
}

const ignore = (): void => undefined;
