/** The finalizer of MurmurHash3 (32 bits), by Austin Appleby: a permutation of the 32-bit numbers in which each bit hangs on all. */
export function mixed(value: number): number {
  let hashed = value | 0;
  hashed = Math.imul(hashed ^ (hashed >>> 16), 0x85ebca6b);
  hashed = Math.imul(hashed ^ (hashed >>> 13), 0xc2b2ae35);
  return (hashed ^ (hashed >>> 16)) >>> 0;
}
