import { type ArchiveHead, archiveHead } from './archive-head.ts';

/** Bytes after which the head is looked for. Twice as many each time, so that a long one is not read again with every piece. */
const FIRST_LOOK = 64 << 10;

/** Gathers the pieces of an archive until its head is whole. */
export class ArchiveBeginning {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #nextLook = FIRST_LOOK;

  /**
   * Undefined while there is too little.
   * @param isLast whether nothing follows
   * @returns all that came so far, and the head in it where it can be read for certain
   */
  push(piece: Uint8Array, isLast = false): { bytes: Buffer; head: ArchiveHead | undefined } | undefined {
    // A copy: the memory of a piece is not its own for long.
    if (piece.length > 0) this.#pieces.push(Buffer.from(piece));
    this.#bytes += piece.length;
    if (this.#bytes < this.#nextLook && !isLast) return undefined;
    this.#nextLook = this.#bytes * 2;
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [bytes];
    const head = archiveHead(bytes);
    if (head === 'more' && !isLast) return undefined;
    this.#pieces = [];
    return { bytes, head: head === 'more' ? undefined : head };
  }
}
