import { createCipheriv, createHash } from 'node:crypto';

/** Bytes of one block; `randomBlocks` cuts its stream into these. */
export const BLOCK_BYTES = 65_536;

/**
 * Repeatable bytes that do not compress and never repeat: the key stream of AES-256-CTR under a key made from the seed.
 * Several gigabytes a second, so that making the data does not take longer than backing it up.
 *
 * @param bytes length of all blocks together
 */
export function* randomBlocks(bytes: number, seed: number): Generator<Buffer> {
  const key = createHash('sha256').update(`holdfast benchmark ${seed}`).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(BLOCK_BYTES);
  for (let left = bytes; left > 0; left -= BLOCK_BYTES) {
    yield cipher.update(left < BLOCK_BYTES ? zeros.subarray(0, left) : zeros);
  }
}
