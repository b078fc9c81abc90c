/** Gathers small pieces into blocks, and lets large ones through as they are. */
export class PieceJoiner {
  #block = Buffer.allocUnsafeSlow(BLOCK);
  #length = 0;

  /** What is to be given on now. The piece is not needed any more when all of it was taken. */
  *add(piece: Uint8Array): Generator<Uint8Array> {
    if (this.#length + piece.length > BLOCK) yield* this.end();
    if (piece.length >= LARGE) {
      yield* this.end();
      yield piece;
      return;
    }
    this.#block.set(piece, this.#length);
    this.#length += piece.length;
  }

  /** What is left. */
  *end(): Generator<Uint8Array> {
    if (this.#length === 0) return;
    const full = this.#block.subarray(0, this.#length);
    this.#block = Buffer.allocUnsafeSlow(BLOCK);
    this.#length = 0;
    yield full;
  }
}

/** Bytes. */
const BLOCK = 64 * 1024;
const LARGE = 32 * 1024;
