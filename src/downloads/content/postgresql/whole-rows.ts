import { LONGEST_ROW, tooLong } from './row-blocks.ts';

/** Of longer strings, which live among the engine's large objects, tens of megabytes wait for its collector. */
const PART = 64 << 10;

/** Cuts the rows of a COPY, which come cut anywhere, between rows. Only those that come in several pieces are copied. */
export class WholeRows {
  readonly #table: string;
  /** The beginning of a row whose end did not come yet. */
  #begun: Buffer[] = [];
  #begunBytes = 0;

  constructor(table: string) {
    this.#table = table;
  }

  /** What ends in these bytes; it is theirs, and to be used before they change. What is left at the end of all is the beginning of the line that ends the rows. */
  *push(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += PART) yield* this.#part(bytes.subarray(at, at + PART));
  }

  *#part(bytes: Buffer): Generator<Buffer> {
    let from = 0;
    if (this.#begunBytes > 0) {
      from = bytes.indexOf('\n') + 1;
      if (from === 0) {
        this.#begin(bytes);
        return;
      }
      const row = Buffer.concat([...this.#begun, bytes.subarray(0, from)]);
      this.#begun = [];
      this.#begunBytes = 0;
      yield row;
    }
    const end = Math.max(from, bytes.lastIndexOf('\n') + 1);
    if (end > from) yield bytes.subarray(from, end);
    if (end < bytes.length) this.#begin(bytes.subarray(end));
  }

  #begin(bytes: Buffer): void {
    this.#begun.push(Buffer.from(bytes));
    this.#begunBytes += bytes.length;
    if (this.#begunBytes > LONGEST_ROW) throw tooLong(this.#table);
  }
}
