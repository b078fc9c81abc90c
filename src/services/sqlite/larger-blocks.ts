/**
 * Gathers bytes that come a page at a time into blocks, since a system call for each page would cost more than the writing.
 * A block is valid until the next one is asked for.
 */
export async function* largerBlocks(source: AsyncIterable<Uint8Array>, blockBytes: number): AsyncGenerator<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(blockBytes);
  let filled = 0;
  for await (const bytes of source)
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + blockBytes - filled);
      block.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < blockBytes) continue;
      yield block;
      filled = 0;
    }
  if (filled > 0) yield block.subarray(0, filled);
}
