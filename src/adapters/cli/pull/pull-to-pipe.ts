import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Content } from './snapshot-server.ts';
import { VerifiedContent } from './verified-content.ts';

/** The end of SQL takes effect; it is longer than any end that matters. Bytes. */
const HELD_BACK = 64 * 1024;

/**
 * Writes content to a pipe, but its last 64 KiB only when it is known that all of it came: whoever reads the pipe never sees a
 * clean end of less.
 *
 * @returns bytes, and whether they were compared with a digest
 * @throws HoldfastError `download-cut` (damaged)
 */
export async function pullToPipe(
  content: Content,
  output: Writable,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<{ bytes: number; hasDigest: boolean }> {
  const verified = new VerifiedContent();
  const held: Uint8Array[] = [];
  let heldBytes = 0;
  const give = async (piece: Uint8Array): Promise<void> => {
    if (!output.write(piece)) await once(output, 'drain', { signal });
  };
  for await (const piece of content.bytes) {
    verified.add(piece);
    onBytes(verified.bytes);
    held.push(piece);
    heldBytes += piece.length;
    for (let first = held[0]; first !== undefined && heldBytes - first.length >= HELD_BACK; first = held[0]) {
      held.shift();
      heldBytes -= first.length;
      await give(first);
    }
  }
  const hasDigest = verified.verify(content);
  for (const piece of held) await give(piece);
  return { bytes: verified.bytes, hasDigest };
}
