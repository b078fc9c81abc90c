import { randomFillSync } from 'node:crypto';

const pool = new Uint8Array(4096);
let used = pool.length;

/** A random number from 0 up to 1, in steps of 1/256, of cryptographic bytes drawn many at a time: ids take 16 each. */
export function randomFraction(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return (pool[used++] as number) / 256;
}
