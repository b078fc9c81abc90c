/**
 * PostgreSQL's page checksum: 32 FNV-1a hashes side by side over the page's words, with the checksum's own field as zero,
 * folded together, mixed with the block number, reduced to 1…65535. Source of the algorithm: src/include/storage/checksum_impl.h.
 *
 * @param page one page as little-endian words (servers of big-endian machines have other words)
 * @param block the page's number in its relation fork, over all its files
 */
export function pageChecksum(page: Uint32Array, block: number): number {
  const sums = SUMS;
  sums.set(OFFSETS);
  // Bytes 8 and 9 hold the checksum itself, 10 and 11 flags.
  mix(sums, 0, page[0] as number);
  mix(sums, 1, page[1] as number);
  mix(sums, 2, (page[2] as number) & 0xffff0000);
  for (let column = 3; column < COLUMNS; column++) mix(sums, column, page[column] as number);
  for (let row = COLUMNS; row < page.length; row += COLUMNS)
    for (let column = 0; column < COLUMNS; column++) {
      const value = (sums[column] as number) ^ (page[row + column] as number);
      sums[column] = Math.imul(value, PRIME) ^ (value >>> 17);
    }
  let folded = 0;
  for (let column = 0; column < COLUMNS; column++) {
    mix(sums, column, 0);
    mix(sums, column, 0);
    folded ^= sums[column] as number;
  }
  return (((folded ^ block) >>> 0) % 65535) + 1;
}

function mix(sums: Int32Array, column: number, word: number): void {
  const value = (sums[column] as number) ^ word;
  sums[column] = Math.imul(value, PRIME) ^ (value >>> 17);
}

const COLUMNS = 32;
const PRIME = 16777619;
const SUMS = new Int32Array(COLUMNS);
const OFFSETS = Int32Array.from([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f,
  0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc,
  0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6,
  0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);
