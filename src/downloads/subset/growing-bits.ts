import { RowBits } from './row-bits.ts';

/** One bit for each row, while nobody knows how many rows there are. */
export class GrowingBits {
  #rows = 0;
  #bytes = new Uint8Array(1 << 13);

  push(isSet: boolean): void {
    const row = this.#rows++;
    if (row >> 3 === this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    if (isSet) this.#bytes[row >> 3] = (this.#bytes[row >> 3] ?? 0) | (1 << (row & 7));
  }

  bits(): RowBits {
    const bits = new RowBits(this.#rows);
    bits.bytes.set(this.#bytes.subarray(0, bits.bytes.length));
    return bits;
  }
}
