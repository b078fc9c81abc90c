import { RowFault } from '../../masking/row-fault.ts';
import { LineMarks } from './line-marks.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;

/** Where the fields of a block of whole rows are, as COPY writes them: all tabs and line ends are looked for at once, and the rows' fields are counted. */
export class CopyLines {
  /** Rows of the block. */
  rows = 0;
  readonly #columns: number;
  /** Tabs and line ends of a row. */
  readonly #width: number;
  /** Their positions, after the -1 before all: field f of row r begins behind the mark f + r * width. */
  #marks = new Int32Array(0);
  #count = 0;
  #backslashes = new Int32Array(0);
  #backslashCount = 0;
  /** The first backslash that does not stand before the field that was asked for last. */
  #nextBackslash = 0;

  constructor(columns: number) {
    this.#columns = columns;
    this.#width = Math.max(1, columns);
  }

  /**
   * What it says holds until another block is read, by whatever object of the thread.
   * @throws RowFault where a row has not one field for each column
   */
  read(block: Uint8Array): void {
    found ??= new LineMarks();
    found.find(block);
    this.#marks = found.marks;
    this.#count = found.count;
    this.#backslashes = found.backslashes;
    this.#backslashCount = found.backslashCount;
    this.#nextBackslash = 0;
    this.rows = found.lineEnds;
    if (!this.#isWhole(block)) throw this.#fault(block);
  }

  start(row: number, column: number): number {
    return (this.#marks[row * this.#width + column] as number) + 1;
  }

  end(row: number, column: number): number {
    return this.#marks[row * this.#width + column + 1] as number;
  }

  /** Behind the line end of a row. */
  past(row: number): number {
    return (this.#marks[(row + 1) * this.#width] as number) + 1;
  }

  /** Whether a field has a backslash. It costs least where fields are asked for in the order of the block. */
  hasBackslash(start: number, end: number): boolean {
    const [backslashes, count] = [this.#backslashes, this.#backslashCount];
    let next = this.#nextBackslash;
    if (next > 0 && (backslashes[next - 1] as number) >= start) next = 0;
    while (next < count && (backslashes[next] as number) < start) next++;
    this.#nextBackslash = next;
    return next < count && (backslashes[next] as number) < end;
  }

  /** Whether each row has as many fields as there are columns, and the last one an end. */
  #isWhole(block: Uint8Array): boolean {
    const [marks, width, { rows }] = [this.#marks, this.#width, this];
    if (this.#count !== rows * width + 1 || marks[this.#count - 1] !== block.length - 1) return false;
    // As many line ends as rows, and one at the end of each: all other marks are tabs.
    for (let row = 1; row <= rows; row++) if (block[marks[row * width] as number] !== NEWLINE) return false;
    return this.#columns > 0 || block.length === rows;
  }

  /** The first row that is not as it should be. */
  #fault(block: Uint8Array): RowFault {
    let [row, fields, start] = [0, 1, 0];
    for (let mark = 1; mark < this.#count; mark++) {
      const at = this.#marks[mark] as number;
      if (block[at] === TAB) {
        fields++;
        continue;
      }
      if (fields !== this.#columns && !(this.#columns === 0 && at === start))
        return new RowFault(row, 'it has another number of fields than the table has columns');
      [row, fields, start] = [row + 1, 1, at + 1];
    }
    return new RowFault(row, 'it has no end');
  }
}

/** Of this thread. */
let found: LineMarks | undefined;
