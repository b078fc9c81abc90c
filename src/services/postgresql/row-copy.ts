import type { Duplex } from 'node:stream';
import type { Connection, Submittable } from 'pg';
import { HoldfastError } from '../../core/errors.ts';
import { ReadingSocket } from '../../process/reading-socket.ts';
import { SocketPieces } from '../../process/socket-pieces.ts';

/**
 * `COPY … TO STDOUT` for `pg.Client.query`, whose rows come as chunks of an archive of pg_dump's custom format.
 *
 * Each row is a message of the protocol (PostgreSQL documentation, 55.7): `d`, four bytes of its length, which counts these four and what follows, with the most
 * significant first. In an archive that is not compressed a chunk is the sign of a number, four bytes of it with the least significant first, and as many bytes
 * (`_CustomWriteFunc` and `WriteInt` in pg_backup_custom.c and pg_backup_archiver.c). Both take five bytes, so rows stay where the socket read them and only these five change:
 * that is all that is done for a row.
 */
export class RowCopy implements Submittable {
  readonly #text: string;
  readonly #stream: Duplex;
  readonly #failureOf: (error: unknown) => Error;
  readonly #pieces: SocketPieces;
  readonly #event: 'piece' | 'data';
  #readers: ((bytes: Buffer) => void)[] = [];
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of the message at hand that are to come, and whether it is a row. */
  #left = 0;
  #isRow = false;
  #rows = 0;
  #rowsSent: number | undefined;
  #failure: unknown;
  #isOver = false;

  /**
   * @param stream of the connection that it is given to
   * @param failureOf what is thrown for an error of the server (`pg.DatabaseError`) or of the connection
   * @param mostBytes of rows that wait before the connection does
   */
  constructor(text: string, stream: Duplex, failureOf: (error: unknown) => Error, mostBytes?: number) {
    this.#text = text;
    this.#stream = stream;
    this.#failureOf = failureOf;
    this.#pieces = new SocketPieces(stream, mostBytes);
    this.#event = stream instanceof ReadingSocket ? 'piece' : 'data';
  }

  /**
   * The chunks of all rows, cut anywhere. Each piece stays as it is until the next one is asked for.
   *
   * @returns how many rows they are, which is what the server says that it sent
   * @throws HoldfastError `postgresql-rows-cut` (unavailable), and what `failureOf` makes
   */
  async *pieces(): AsyncGenerator<Uint8Array, number> {
    yield* this.#pieces.all();
    if (this.#rowsSent !== this.#rows) throw rowsCut(`${this.#rows} of ${this.#rowsSent ?? 'an unknown number'} came`);
    return this.#rows;
  }

  submit(connection: Connection): void {
    this.#readers = this.#stream.listeners('data') as ((bytes: Buffer) => void)[];
    this.#stream.on(this.#event, this.#read);
    for (const reader of this.#readers) this.#stream.off('data', reader);
    connection.query(this.#text);
  }

  handleCommandComplete({ text }: { text: string }): void {
    const [, rows] = /^COPY (\d+)$/.exec(text) ?? [];
    this.#rowsSent = rows === undefined ? undefined : Number(rows);
  }

  handleError(error: Error): void {
    this.#failure ??= this.#failureOf(error);
    this.#finish();
  }

  handleReadyForQuery(): void {
    this.#finish();
  }

  handleEmptyQuery(): void {
    this.handleError(new Error('The server saw no query.'));
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const reader of this.#readers) this.#stream.on('data', reader);
    this.#stream.off(this.#event, this.#read);
    // Should nobody take what waits: a connection that is paused does not see its end, and closing it would never be done.
    this.#stream.resume();
    this.#pieces.end(this.#failure);
  }

  readonly #read = (bytes: Buffer): void => {
    for (let at = 0; at < bytes.length; ) {
      if (this.#isOver) {
        this.#forward(bytes.subarray(at));
        return;
      }
      if (this.#left > 0 && !this.#isRow) {
        const piece = bytes.subarray(at, at + this.#left);
        at += piece.length;
        this.#left -= piece.length;
        this.#forward(piece);
        continue;
      }
      if (this.#headerBytes === 0) at = this.#takeRows(bytes, at);
      const taken = bytes.copy(this.#header, this.#headerBytes, at);
      at += taken;
      this.#headerBytes += taken;
      if (this.#headerBytes === HEADER_BYTES) this.#begin();
    }
  };

  /** @returns where a header begins that is not whole, or not that of a row; the end of the bytes where none does */
  #takeRows(bytes: Buffer, from: number): number {
    const { length } = bytes;
    let [at, left, isWhole] = [from, this.#left, true];
    for (;;) {
      const step = Math.min(left, length - at);
      at += step;
      left -= step;
      if (left > 0) break;
      if (step > 0 && bytes[at - 1] !== LINE_END) isWhole = false;
      if (length - at < HEADER_BYTES || bytes[at] !== COPY_DATA) break;
      const row = rowLength(bytes, at);
      if (row < 1) break;
      left = row;
      writeChunkHeader(bytes, at, row);
      at += HEADER_BYTES;
      this.#rows++;
    }
    this.#left = left;
    if (left > 0) this.#isRow = true;
    if (at > from) this.#pieces.add(bytes.subarray(from, at));
    if (!isWhole) this.#refuse();
    return at;
  }

  #begin(): void {
    this.#headerBytes = 0;
    this.#isRow = this.#header[0] === COPY_DATA;
    this.#left = rowLength(this.#header, 0);
    if (this.#left < (this.#isRow ? 1 : 0)) this.#refuse();
    else if (!this.#isRow) this.#forward(this.#header);
    else {
      const header = Buffer.alloc(HEADER_BYTES);
      writeChunkHeader(header, 0, this.#left);
      this.#rows++;
      this.#pieces.add(header);
    }
  }

  /** A chunk of another length than its row would make all that follows unreadable, and one of none ends the table. */
  #refuse(): void {
    this.#failure ??= rowsCut('a message was not one row');
    // What follows on this connection is not to be understood any more.
    this.#readers = [];
    this.#finish();
    this.#stream.destroy();
  }

  /** `pg` may keep what it gets. */
  #forward(bytes: Buffer): void {
    for (const reader of this.#readers) reader.call(this.#stream, Buffer.from(bytes));
  }
}

const COPY_DATA = 'd'.charCodeAt(0);
const LINE_END = '\n'.charCodeAt(0);
const LENGTH_BYTES = 4;
const HEADER_BYTES = 1 + LENGTH_BYTES;

/** Below zero for what is longer than a row can be. */
function rowLength(bytes: Uint8Array, at: number): number {
  const [first, second, third, fourth] = [bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4]] as Four;
  return ((first << 24) | (second << 16) | (third << 8) | fourth) - LENGTH_BYTES;
}

type Four = [number, number, number, number];

function writeChunkHeader(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = 0;
  bytes[at + 1] = length;
  bytes[at + 2] = length >>> 8;
  bytes[at + 3] = length >>> 16;
  bytes[at + 4] = length >>> 24;
}

function rowsCut(what: string): HoldfastError {
  const message = `The rows of a table did not come as the server sent them: ${what}. Try again; see what is between Holdfast and the server.`;
  return new HoldfastError('unavailable', 'postgresql-rows-cut', message);
}
