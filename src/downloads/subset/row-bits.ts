/** One bit for each row of a table, in memory that threads share. */
export class RowBits {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly rows: number;

  constructor(rows: number, bytes = new Uint8Array(new SharedArrayBuffer(Math.ceil(rows / 8)))) {
    this.rows = rows;
    this.bytes = bytes;
  }

  has(row: number): boolean {
    return ((this.bytes[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
  }

  /** True where the bit was not set before. */
  add(row: number): boolean {
    const byte = this.bytes[row >> 3] ?? 0;
    const bit = 1 << (row & 7);
    if ((byte & bit) !== 0) return false;
    this.bytes[row >> 3] = byte | bit;
    return true;
  }

  count(): number {
    return countBits(this.bytes);
  }

  /** Rows whose bit is set, in their order. */
  *[Symbol.iterator](): Generator<number> {
    for (let index = 0; index < this.bytes.length; index++) {
      const byte = this.bytes[index] as number;
      if (byte === 0) continue;
      for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) yield index * 8 + bit;
    }
  }
}

/** How many bits are set. */
export function countBits(bytes: Uint8Array): number {
  let found = 0;
  for (const byte of bytes) found += ONES[byte] ?? 0;
  return found;
}

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);
