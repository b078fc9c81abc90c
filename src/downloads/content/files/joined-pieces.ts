/** Bytes. */
const BLOCK = 64 << 10;
const LARGE = 32 << 10;

/** The same bytes in fewer pieces; large ones are not copied. */
export async function* joinedPieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let [small, length]: [Uint8Array[], number] = [[], 0];
  for await (const piece of pieces) {
    if (piece.length < LARGE && length + piece.length < BLOCK) {
      small.push(piece);
      length += piece.length;
      continue;
    }
    if (length > 0) yield Buffer.concat(small, length);
    [small, length] = [[], 0];
    if (piece.length > 0) yield piece;
  }
  if (length > 0) yield Buffer.concat(small, length);
}
