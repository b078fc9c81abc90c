import { BYTE } from './sql-bytes.ts';

const END_OF_ROWS = Buffer.from('\n\\.');

/**
 * Finds the line `\.` that ends the rows of a COPY, in bytes that come in any parts. Within rows that line cannot occur: COPY writes each
 * backslash of a value twice and each line end as `\n`.
 */
export class RowBlock {
  /** How much of the last line so far is like that line: -1 no more, 0 nothing yet, 1 `\`, 2 `\.`, 3 `\.` and a carriage return. */
  #matched = 0;

  /** True between two rows. */
  get isAtLineStart(): boolean {
    return this.#matched === 0;
  }

  /** Reads on from `from`; the position after the line, or -1 if it is not in these bytes. */
  endIn(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length) {
      if (this.#matched >= 0) {
        const byte = bytes[at++] ?? 0;
        if (this.#matched >= 2 && byte === BYTE.newline) return at;
        this.#matched = this.#next(byte);
        continue;
      }
      const found = bytes.indexOf(END_OF_ROWS, at);
      if (found < 0) {
        this.#matched = lineStartOf(bytes, at);
        return -1;
      }
      this.#matched = 2;
      at = found + END_OF_ROWS.length;
    }
    return -1;
  }

  #next(byte: number): number {
    if (byte === BYTE.newline) return 0;
    if (this.#matched === 0 && byte === BYTE.backslash) return 1;
    if (this.#matched === 1 && byte === BYTE.dot) return 2;
    if (this.#matched === 2 && byte === BYTE.carriageReturn) return 3;
    return -1;
  }
}

function lineStartOf(bytes: Buffer, from: number): number {
  const last = bytes.length - 1;
  if (bytes[last] === BYTE.newline) return 0;
  return last > from && bytes[last] === BYTE.backslash && bytes[last - 1] === BYTE.newline ? 1 : -1;
}
