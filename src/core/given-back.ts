import { freeMemory } from './freed-memory.ts';

/** Memory that one piece of bytes has for itself and whose taker said that it gives it back. */
const expected = new WeakSet<ArrayBufferLike>();

/** Says of bytes that are about to be given away that `giveBack` may free their memory, all of which is theirs. */
export function expectBack<Bytes extends Uint8Array>(bytes: Bytes): Bytes {
  expected.add(bytes.buffer);
  return bytes;
}

/**
 * Frees the memory of bytes at once, if whoever gave them expects them back; they are empty after that. Only whoever knows that nobody
 * looks at them any more may call this. Where many take turns, a piece has grown old by the time that it was used, and would wait for a
 * major collection.
 */
export function giveBack(bytes: Uint8Array): void {
  if (expected.delete(bytes.buffer)) freeMemory(bytes);
}
