import { RowFault } from '../../masking/row-fault.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
/** Bytes of which four are looked at in one go. */
const WORD = 4;

/**
 * Where the fields of a block of whole rows are, as COPY writes them: all tabs and line ends are looked for at once, four bytes at a time, and the rows' fields are
 * counted on the way.
 */
export class CopyLines {
  /** Rows of the block. */
  rows = 0;
  readonly #columns: number;
  /** Tabs and line ends of a row. */
  readonly #width: number;
  /** Their positions, after the -1 before all: field f of row r begins behind the mark f + r * width. */
  #marks = new Int32Array(4096).fill(-1, 0, 1);
  #count = 1;
  #lineEnds = 0;
  #text = '';
  /** Where the next backslash is. */
  #backslash = -1;

  constructor(columns: number) {
    this.#columns = columns;
    this.#width = Math.max(1, columns);
  }

  /**
   * @param text the same in Latin-1
   * @throws RowFault where a row has not one field for each column
   */
  read(block: Uint8Array, text: string): void {
    const head = Math.min(block.length, -block.byteOffset & (WORD - 1));
    const words = new Int32Array(block.buffer, block.byteOffset + head, (block.length - head) >> 2);
    this.#count = 1;
    this.#lineEnds = 0;
    this.#readBytes(block, 0, head);
    this.#readWords(block, words, head);
    this.#readBytes(block, head + words.length * WORD, block.length);
    this.rows = this.#lineEnds;
    if (!this.#isWhole(block)) throw this.#fault(block);
    this.#text = text;
    this.rewind();
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

  /** Whether a field has a backslash. Between two calls of `rewind`, fields are asked for from the first to the last. */
  hasBackslash(start: number, end: number): boolean {
    if (this.#backslash < start) {
      const next = this.#text.indexOf('\\', start);
      this.#backslash = next < 0 ? this.#text.length : next;
    }
    return this.#backslash < end;
  }

  rewind(): void {
    this.#backslash = -1;
  }

  #readWords(block: Uint8Array, words: Int32Array, head: number): void {
    let marks = this.#marks;
    let [count, lineEnds] = [this.#count, 0];
    for (let index = 0; index < words.length; index++) {
      const word = words[index] as number;
      // True where one of its bytes is less than 11 ("Determine if a word has a byte less than n", Bit Twiddling Hacks by Sean Eron Anderson).
      if (((word - 0x0b0b0b0b) & ~word & 0x80808080) === 0) continue;
      if (count + WORD > marks.length) marks = this.#marks = doubled(marks);
      for (let at = head + index * WORD, end = at + WORD; at < end; at++) {
        const byte = block[at] as number;
        if (byte === TAB) marks[count++] = at;
        else if (byte === NEWLINE) {
          marks[count++] = at;
          lineEnds++;
        }
      }
    }
    this.#count = count;
    this.#lineEnds += lineEnds;
  }

  /** Of the few bytes before the first word and behind the last one. */
  #readBytes(block: Uint8Array, from: number, to: number): void {
    if (this.#count + WORD > this.#marks.length) this.#marks = doubled(this.#marks);
    for (let at = from; at < to; at++) {
      const byte = block[at];
      if (byte !== TAB && byte !== NEWLINE) continue;
      this.#marks[this.#count++] = at;
      if (byte === NEWLINE) this.#lineEnds++;
    }
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

function doubled(list: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(2 * list.length);
  longer.set(list);
  return longer;
}
