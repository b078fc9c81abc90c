/** The running checksum of a write-ahead log: two numbers of 32 bits. */
export type WalChecksum = readonly [number, number];

/**
 * Goes on with a checksum over bytes, a multiple of eight. https://www.sqlite.org/fileformat2.html#checksum_algorithm
 * @param littleEndian how the bytes are read as numbers; a log's magic number says it
 */
export function walChecksum(bytes: Buffer, littleEndian: boolean, [first, second]: WalChecksum = [0, 0]): WalChecksum {
  // Signed numbers of 32 bits, which the engine keeps in registers.
  let sum0 = first | 0;
  let sum1 = second | 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += 8) {
    sum0 = (sum0 + view.getInt32(at, littleEndian) + sum1) | 0;
    sum1 = (sum1 + view.getInt32(at + 4, littleEndian) + sum0) | 0;
  }
  return [sum0 >>> 0, sum1 >>> 0];
}
