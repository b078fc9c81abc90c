import { BYTE } from './sql-bytes.ts';

/** Finds the end of a comment that begins with a slash and a star, in bytes that come in any parts. PostgreSQL's hold others. */
export class BlockComment {
  readonly #nests: boolean;
  #depth = 0;
  #last = 0;

  constructor({ nests }: { nests: boolean }) {
    this.#nests = nests;
  }

  /** After the mark that begins it. */
  begin(): void {
    this.#depth = 1;
    this.#last = 0;
  }

  /** The position after its end, or -1 if that is not in these bytes. */
  endIn(bytes: Uint8Array, from: number): number {
    let last = this.#last;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      const isEnd = byte === BYTE.slash && last === BYTE.star;
      const isBeginning = byte === BYTE.star && last === BYTE.slash && this.#nests;
      last = isEnd || isBeginning ? 0 : byte;
      if (isBeginning) this.#depth++;
      if (isEnd && --this.#depth === 0) return at + 1;
    }
    this.#last = last;
    return -1;
  }
}
