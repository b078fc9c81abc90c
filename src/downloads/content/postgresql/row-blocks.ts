import { variantFailed } from './unreadable.ts';

const BLOCK = 120 << 10;
export const LONGEST_ROW = 64 << 20;
const NEWLINE = 0x0a;

/** Gathers the rows of a COPY, which come cut anywhere, into blocks of whole rows. */
export class RowBlocks {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  /** Behind the last row's line end, in what is gathered; -1 where there is none. */
  #lineEnd = -1;
  readonly #table: string;

  constructor(table: string) {
    this.#table = table;
  }

  /** The blocks that are full; each has memory of its own. */
  *push(bytes: Buffer): Generator<Uint8Array<ArrayBuffer>> {
    for (let from = 0; from < bytes.length; ) {
      const part = bytes.subarray(from, from + Math.max(BLOCK - this.#bytes, BLOCK >> 3));
      from += part.length;
      const last = part.lastIndexOf(NEWLINE);
      if (last >= 0) this.#lineEnd = this.#bytes + last + 1;
      this.#pieces.push(part);
      this.#bytes += part.length;
      if (this.#bytes >= BLOCK && this.#lineEnd > 0) yield this.#cut(this.#lineEnd);
      if (this.#bytes - Math.max(this.#lineEnd, 0) > LONGEST_ROW) throw tooLong(this.#table);
    }
  }

  /** The rows that are left, where there are any. What stands behind them is the beginning of the line that ends all. */
  rest(): Uint8Array<ArrayBuffer> | undefined {
    return this.#lineEnd < 0 ? undefined : this.#cut(this.#lineEnd);
  }

  /** All that is gathered, as it came. Nothing is left. */
  given(): Uint8Array {
    const bytes = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
    this.#lineEnd = -1;
    return bytes;
  }

  #cut(length: number): Uint8Array<ArrayBuffer> {
    // Copies: chunks of the source are free as soon as they are used, and the block's memory goes to a thread.
    const block = Buffer.allocUnsafeSlow(length);
    const left = Buffer.allocUnsafeSlow(this.#bytes - length);
    let at = 0;
    for (const piece of this.#pieces) {
      const taken = Math.min(piece.length, Math.max(0, length - at));
      block.set(taken === piece.length ? piece : piece.subarray(0, taken), Math.min(at, length));
      if (taken < piece.length) left.set(piece.subarray(taken), at + taken - length);
      at += piece.length;
    }
    this.#pieces = left.length === 0 ? [] : [left];
    this.#bytes = left.length;
    this.#lineEnd = -1;
    return block;
  }
}

/** A row that no block holds. */
export function tooLong(table: string) {
  return variantFailed(
    `Table "${table}" has a row of more than ${LONGEST_ROW >> 20} MiB, which cannot be masked. Give the table the fate \`structure\`.`,
    { table },
  );
}

/** How many rows of a COPY these bytes end. */
export function countLineEnds(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (let from = 0; from < buffer.length; from += COUNTED) {
    // Searches in strings are several times faster than loops over bytes; of short ones hardly any memory is held.
    const text = buffer.toString('latin1', from, from + COUNTED);
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  }
  return count;
}

const COUNTED = 64 << 10;
