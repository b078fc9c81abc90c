/**
 * The pieces of an iterator of which some were taken already, to see whether it has any.
 * @param begun what was taken; it is emptied, so that nothing of it is kept until the end
 */
export async function* resumedPieces(
  begun: IteratorResult<Uint8Array>[],
  pieces: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const piece = begun.shift() ?? (await pieces.next());
      if (piece.done === true) return;
      yield piece.value;
    }
  } finally {
    await pieces.return?.();
  }
}
