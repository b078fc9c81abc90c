import { RowFault } from '../../masking/row-fault.ts';
import type { RowFields } from '../table-content.ts';
import { characters, copyValue } from './copy-text.ts';

const [TAB, MINUS, ZERO, BACKSLASH] = [0x09, 0x2d, 0x30, 0x5c];
/** More may not be exact. */
const MOST_DIGITS = 15;
/** Bytes of a field after which its end is searched for natively, which is faster for long ones and slower for short ones. */
const SHORT = 48;

/** Finds the wanted fields of rows of a COPY whose ends are known, and reads no further in a row than the last of these. */
export class ArchiveFields implements RowFields {
  readonly #columns: number;
  /** Indexes of columns in ascending order; where each wanted one stands among them. */
  readonly #ascending: Int32Array;
  readonly #positions: Int32Array;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  #bytes: Buffer = Buffer.alloc(0);

  /** @param wanted indexes of columns, in any order */
  constructor(columns: number, wanted: readonly number[]) {
    this.#columns = columns;
    this.#ascending = Int32Array.from(new Set(wanted)).sort();
    this.#positions = Int32Array.from(wanted, (column) => this.#ascending.indexOf(column));
    this.#starts = new Int32Array(this.#ascending.length);
    this.#ends = new Int32Array(this.#ascending.length);
  }

  /**
   * Reads a row.
   * @param to behind its line end
   * @throws RowFault where it ends before the last wanted field
   */
  find(bytes: Buffer, from: number, to: number): void {
    this.#bytes = bytes;
    const [ascending, lineEnd] = [this.#ascending, to - 1];
    let [field, start] = [0, from];
    for (let found = 0; found < ascending.length; found++) {
      const column = ascending[found] as number;
      for (;;) {
        const end = fieldEnd(bytes, start, lineEnd);
        if (field === column) {
          this.#starts[found] = start;
          this.#ends[found] = end;
          break;
        }
        if (end === lineEnd) throw new RowFault(0, `it has fewer fields than the ${this.#columns} of its table`);
        start = end + 1;
        field++;
      }
    }
  }

  integer(index: number): number | undefined {
    const position = this.#positions[index] as number;
    const [bytes, end] = [this.#bytes, this.#ends[position] as number];
    let at = this.#starts[position] as number;
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at++;
    if (at >= end || end - at > MOST_DIGITS) return undefined;
    let value = 0;
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    return isNegative ? -value : value;
  }

  value(index: number): string | null {
    const position = this.#positions[index] as number;
    const field = this.#bytes.toString('latin1', this.#starts[position], this.#ends[position]);
    return field.charCodeAt(0) === BACKSLASH || field.includes('\\') ? copyValue(field) : characters(field);
  }
}

/** Where the field ends that begins at `start`. */
function fieldEnd(bytes: Buffer, start: number, lineEnd: number): number {
  const near = Math.min(lineEnd, start + SHORT);
  for (let at = start; at < near; at++) if (bytes[at] === TAB) return at;
  if (near === lineEnd) return lineEnd;
  const tab = bytes.indexOf(TAB, near);
  return tab < 0 || tab > lineEnd ? lineEnd : tab;
}
