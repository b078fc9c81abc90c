import { isAscii } from 'node:buffer';
import { RowFault } from '../../masking/row-fault.ts';
import type { RowFields } from '../table-content.ts';
import { checkEscapes } from './check-escapes.ts';
import { characters, copyValue } from './copy-text.ts';

/**
 * Finds the wanted fields of rows as COPY writes them, and reads no further in a row than the last of these. Bytes are read as Latin-1, one
 * character for each, because searches in strings are several times faster than loops over bytes.
 */
export class FoundFields implements RowFields {
  readonly #columns: number;
  /** Indexes of columns in ascending order; where each wanted one stands among them. */
  readonly #ascending: readonly number[];
  readonly #positions: readonly number[];
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  #text = '';
  #isAscii = true;
  /** The next tab, which may be in a later row. */
  #tab = -1;

  /** @param wanted indexes of columns, in any order */
  constructor(columns: number, wanted: readonly number[]) {
    this.#columns = columns;
    this.#ascending = [...new Set(wanted)].sort((one, other) => one - other);
    this.#positions = wanted.map((column) => this.#ascending.indexOf(column));
    this.#starts = new Int32Array(this.#ascending.length);
    this.#ends = new Int32Array(this.#ascending.length);
  }

  /**
   * Begins with whole rows.
   * @returns how many characters they have
   * @throws RowFault where PostgreSQL would not find the rows that are found here
   */
  begin(rows: Buffer): number {
    this.#text = rows.toString('latin1');
    this.#isAscii = isAscii(rows);
    this.#tab = -1;
    checkEscapes(this.#text);
    return this.#text.length;
  }

  /**
   * Reads the row that begins at `from`; the position after its line end.
   * @throws RowFault where it ends before the last wanted field
   */
  next(from: number): number {
    const text = this.#text;
    const lineEnd = text.indexOf('\n', from);
    let [field, start, tab] = [0, from, this.#tab];
    for (const [found, column] of this.#ascending.entries()) {
      for (; ; field++) {
        if (tab < start) tab = indexOrEnd(text, '\t', start);
        if (field === column) break;
        if (tab >= lineEnd) throw new RowFault(0, `it has fewer fields than the ${this.#columns} of its table`);
        start = tab + 1;
      }
      this.#starts[found] = start;
      this.#ends[found] = Math.min(tab, lineEnd);
    }
    this.#tab = tab;
    return lineEnd + 1;
  }

  integer(index: number): number | undefined {
    const position = this.#positions[index] ?? 0;
    const [text, end] = [this.#text, this.#ends[position] ?? 0];
    let at = this.#starts[position] ?? 0;
    const isNegative = text.charCodeAt(at) === MINUS;
    if (isNegative) at++;
    if (at >= end || end - at > MOST_DIGITS) return undefined;
    let value = 0;
    for (; at < end; at++) {
      const digit = text.charCodeAt(at) - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    return isNegative ? -value : value;
  }

  value(index: number): string | null {
    const position = this.#positions[index] ?? 0;
    const field = this.#text.slice(this.#starts[position], this.#ends[position]);
    if (field.includes('\\')) return copyValue(field);
    return this.#isAscii ? field : characters(field);
  }
}

const [MINUS, ZERO] = [0x2d, 0x30];
/** More may not be exact. */
const MOST_DIGITS = 15;

function indexOrEnd(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index < 0 ? text.length : index;
}
