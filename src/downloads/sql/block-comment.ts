import { notSealable } from './not-sealable.ts';
import { BYTE } from './sql-bytes.ts';

/** In place of the last byte: a slash and a star, where comments do not nest. */
const MARK = -1;

/**
 * Finds the end of a comment that begins with a slash and a star, in bytes that come in any parts. PostgreSQL's hold others. In those of
 * MySQL, clients take that mark together with what follows for something else than servers do, so that it is refused.
 */
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

  /**
   * The position after its end, or -1 if that is not in these bytes.
   * @throws HoldfastError `dump-not-sealable`
   */
  endIn(bytes: Uint8Array, from: number): number {
    let last = this.#last;
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (last === MARK && (byte === BYTE.exclamation || byte === BYTE.plus || byte === BYTE.slash))
        throw notSealable('a comment holds the beginning of another one, and clients disagree about its end');
      const isEnd = byte === BYTE.slash && last === BYTE.star;
      const isMark = byte === BYTE.star && last === BYTE.slash;
      last = isEnd ? 0 : byte;
      if (isMark) last = this.#nests ? 0 : MARK;
      if (isMark && this.#nests) this.#depth++;
      if (isEnd && --this.#depth === 0) return at + 1;
    }
    this.#last = last;
    return -1;
  }
}
