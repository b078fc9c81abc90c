import { RowFault } from '../../masking/row-fault.ts';
import { characters, copyValue } from './copy-text.ts';

/**
 * Finds fields in rows as COPY writes them. Bytes are read as Latin-1, one character for each, because searches in strings are several times faster than
 * loops over bytes.
 */
export class CopyFields {
  /** Where the wanted fields of the row that was read last begin, in the order of their columns. */
  readonly starts: Int32Array;
  /** And where they end. */
  readonly ends: Int32Array;
  readonly #columns: number;
  readonly #wanted: Int32Array;
  #text = '';
  #isAscii = true;
  /** Where the next tab and the next backslash are. */
  #tab = -1;
  #backslash = -1;

  /** @param wanted indexes of columns, in ascending order */
  constructor(columns: number, wanted: readonly number[]) {
    this.#columns = columns;
    this.#wanted = Int32Array.from([...wanted, -1]);
    this.starts = new Int32Array(wanted.length);
    this.ends = new Int32Array(wanted.length);
  }

  /**
   * Begins with a block of whole rows.
   * @throws RowFault where PostgreSQL would not find the rows and fields that are found here
   */
  begin(text: string, isAscii: boolean): void {
    this.#text = text;
    this.#isAscii = isAscii;
    this.#tab = -1;
    this.#backslash = -1;
    checkEscapes(text);
  }

  /** The position after the line end of the row that begins at `from`, whatever fields it has. */
  past(from: number, row: number): number {
    const lineEnd = this.#text.indexOf('\n', from);
    if (lineEnd < 0) throw new RowFault(row, 'it has no end');
    return lineEnd + 1;
  }

  /**
   * Reads the row that begins at `from`; the position after its line end.
   * @throws RowFault where it has not one field for each column
   */
  next(from: number, row: number): number {
    const [text, wanted] = [this.#text, this.#wanted];
    const lineEnd = this.past(from, row) - 1;
    let [field, found, start, next, tab] = [0, 0, from, wanted[0], this.#tab];
    for (; ; field++) {
      if (tab < start) tab = indexOrEnd(text, '\t', start);
      const end = Math.min(tab, lineEnd);
      if (field === next) {
        this.starts[found] = start;
        this.ends[found] = end;
        next = wanted[++found];
      }
      if (end === lineEnd) break;
      start = end + 1;
    }
    this.#tab = tab;
    if (field + 1 !== this.#columns && !(this.#columns === 0 && lineEnd === from))
      throw new RowFault(row, 'it has another number of fields than the table has columns');
    return lineEnd + 1;
  }

  /** The value of a wanted field. Rows and fields must be asked for in their order. */
  value(index: number): string | null {
    const [start, end] = [this.starts[index] as number, this.ends[index] as number];
    const field = this.#text.slice(start, end);
    if (this.#backslash < start) this.#backslash = indexOrEnd(this.#text, '\\', start);
    if (this.#backslash < end) return copyValue(field);
    return this.#isAscii ? field : characters(field);
  }
}

function indexOrEnd(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index < 0 ? text.length : index;
}

/** A value's own tabs and line ends are escaped; where raw ones stand behind a backslash PostgreSQL reads them as a part of the value, and pg_dump does not write that. */
export function checkEscapes(text: string): void {
  const [escaped] = /(?<!\\)(?:\\\\)*\\[\t\n\r]/.exec(text.includes('\\\t') || text.includes('\\\n') ? text : '') ?? [];
  if (escaped !== undefined)
    throw new RowFault(
      0,
      'it, or a row soon after it, has a tab or line end behind a backslash, which is not how pg_dump writes it',
    );
  if (text.includes('\r'))
    throw new RowFault(
      0,
      'it, or a row soon after it, holds a carriage return, as in a dump whose line ends were converted',
    );
}
