import { RowFault } from '../../masking/row-fault.ts';

const [TAB, NEWLINE, CARRIAGE_RETURN, BACKSLASH] = [9, 10, 13, 92];

/** Finds fields in the rows of a COPY, over bytes. */
export class CopyFields {
  /** Where the wanted fields of the row that was read last begin, in the order of their columns. */
  readonly starts: Int32Array;
  /** And where they end. */
  readonly ends: Int32Array;
  readonly #columns: number;
  readonly #wanted: Int32Array;

  /** @param wanted indexes of columns, in ascending order */
  constructor(columns: number, wanted: readonly number[]) {
    this.#columns = columns;
    this.#wanted = Int32Array.from([...wanted, -1]);
    this.starts = new Int32Array(wanted.length);
    this.ends = new Int32Array(wanted.length);
  }

  /**
   * Reads a row; the position after its line end.
   * @throws RowFault where it has not one field for each column. A value's own tabs and line ends are escaped; where the raw ones stand behind a backslash,
   * PostgreSQL would read other fields than these.
   */
  next(block: Uint8Array, from: number, row: number): number {
    const wanted = this.#wanted;
    const end = block.length;
    let [field, found, start, next] = [0, 0, from, wanted[0]];
    for (let at = from; at < end; at++) {
      const byte = block[at] as number;
      if (byte > CARRIAGE_RETURN || (byte !== TAB && byte !== NEWLINE && byte !== CARRIAGE_RETURN)) continue;
      if (at > from && block[at - 1] === BACKSLASH && isEscaped(block, from, at)) throw rawAfterBackslash(row);
      if (byte === CARRIAGE_RETURN) throw carriageReturn(row);
      if (field === next) {
        this.starts[found] = start;
        this.ends[found] = at;
        next = wanted[++found];
      }
      if (byte === NEWLINE) {
        if (field + 1 !== this.#columns && !(this.#columns === 0 && at === from)) throw otherFields(row);
        return at + 1;
      }
      field++;
      start = at + 1;
    }
    throw new RowFault(row, 'it has no end');
  }
}

function isEscaped(block: Uint8Array, from: number, at: number): boolean {
  let first = at;
  while (first > from && block[first - 1] === BACKSLASH) first--;
  return (at - first) % 2 === 1;
}

function otherFields(row: number) {
  return new RowFault(row, 'it has another number of fields than the table has columns');
}

function rawAfterBackslash(row: number) {
  return new RowFault(row, 'a tab or line end stands behind a backslash, which is not how pg_dump writes it');
}

function carriageReturn(row: number) {
  return new RowFault(row, 'it holds a carriage return, as in a dump whose line ends were converted');
}
