import type { Duplex } from 'node:stream';
import { ReadingSocket } from '../../process/reading-socket.ts';

/** Told of the bytes of CopyData messages as they come. @param continues the message that the last piece was of */
export type TakeCopyData = (bytes: Buffer, continues: boolean) => void;

/**
 * Takes the messages of copy streams off a connection before `pg` sees them, whose parser copies what does not come in one read, which
 * is most of what a base backup is. All other messages go to `pg` as they came. Pieces are parts of what the socket gave.
 *
 * Source of the format: PostgreSQL documentation, 55.7: a byte that names the kind of message, then four bytes of its length,
 * which counts these four and what follows.
 */
export class CopyDataTap {
  readonly #stream: Duplex;
  readonly #take: TakeCopyData;
  readonly #readers: ((bytes: Buffer) => void)[];
  readonly #event: 'piece' | 'data';
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of the message at hand that are to come. */
  #left = 0;
  #isCopyData = false;
  #continues = false;
  /** A short message that came in several reads. */
  #gathered: Buffer | undefined;
  #isRemoved = false;

  /** To be made between two commands, when `pg` has parsed all that came. */
  constructor(stream: Duplex, take: TakeCopyData) {
    this.#stream = stream;
    this.#take = take;
    this.#readers = stream.listeners('data') as ((bytes: Buffer) => void)[];
    this.#event = stream instanceof ReadingSocket ? 'piece' : 'data';
    stream.on(this.#event, this.#read);
    for (const reader of this.#readers) stream.off('data', reader);
  }

  /** Lets `pg` read again; to be called at the end of a message at the earliest. */
  remove(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    for (const reader of this.#readers) this.#stream.on('data', reader);
    this.#stream.off(this.#event, this.#read);
  }

  readonly #read = (bytes: Buffer): void => {
    let at = 0;
    while (at < bytes.length && !this.#isRemoved)
      at += this.#left > 0 ? this.#readBody(bytes.subarray(at)) : this.#readHeader(bytes.subarray(at));
    if (at < bytes.length) this.#forward(bytes.subarray(at));
  };

  #readHeader(bytes: Buffer): number {
    const taken = bytes.copy(this.#header, this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes < HEADER_BYTES) return taken;
    this.#headerBytes = 0;
    this.#isCopyData = this.#header[0] === COPY_DATA;
    this.#continues = false;
    this.#left = Math.max(0, this.#header.readUInt32BE(1) - LENGTH_BYTES);
    if (!this.#isCopyData) this.#forward(this.#header);
    return taken;
  }

  #readBody(bytes: Buffer): number {
    const piece = bytes.subarray(0, this.#left);
    const isWhole = piece.length === this.#left && !this.#continues && this.#gathered === undefined;
    this.#left -= piece.length;
    if (!this.#isCopyData) this.#forward(piece);
    else if (isWhole || this.#continues || piece.length + this.#left > SHORT_BYTES) this.#give(piece);
    else this.#gather(piece);
    return piece.length;
  }

  #give(piece: Buffer): void {
    this.#take(piece, this.#continues);
    this.#continues = true;
  }

  #gather(piece: Buffer): void {
    this.#gathered = this.#gathered === undefined ? Buffer.from(piece) : Buffer.concat([this.#gathered, piece]);
    if (this.#left > 0) return;
    const whole = this.#gathered;
    this.#gathered = undefined;
    this.#give(whole);
  }

  /** `pg` may keep what it gets. */
  #forward(bytes: Buffer): void {
    for (const reader of this.#readers) reader.call(this.#stream, Buffer.from(bytes));
  }
}

const COPY_DATA = 'd'.charCodeAt(0);
const LENGTH_BYTES = 4;
const HEADER_BYTES = 1 + LENGTH_BYTES;
/** Messages up to this long come whole: their readers look at more than their first byte. */
const SHORT_BYTES = 4096;
