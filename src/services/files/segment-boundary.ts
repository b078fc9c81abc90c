import { createHash } from 'node:crypto';

/** Bytes before a hash counts: all of its 32 bits then come from the content. Blocks of a search overlap by them. */
export const WARM_UP = 64;
const MASK = 0xfffff000 | 0;

/**
 * Where a segment truly starts, given the bytes from its nominal start on: after the first place whose last bytes hash to
 * zero in 20 bits. It depends on the content around that place alone, so that bytes inserted further in front, which shift
 * every nominal start, leave the true starts at the same content and chunks on both sides as they were.
 *
 * @returns offset into `bytes`; its length where no place is found
 */
export function findBoundary(bytes: Uint8Array): number {
  let hash = 0;
  const warm = Math.min(WARM_UP, bytes.length);
  for (let at = 0; at < warm; at++) hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
  for (let at = warm; at < bytes.length; at++) {
    hash = ((hash << 1) + (GEAR[bytes[at] as number] as number)) | 0;
    if ((hash & MASK) === 0) return at + 1;
  }
  return bytes.length;
}

/** Whether a segment may begin right behind these bytes, of which the last 32 count. */
export function isBoundary(bytes: Uint8Array): boolean {
  let hash = 0;
  for (const byte of bytes) hash = ((hash << 1) + (GEAR[byte] as number)) | 0;
  return (hash & MASK) === 0;
}

const GEAR = Int32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`holdfast segment boundary ${byte}`).digest().readInt32BE(0),
);
