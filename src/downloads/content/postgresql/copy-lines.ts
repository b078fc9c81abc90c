import { type ViewedBytes, viewed } from '../../masking/byte-values.ts';
import { RowFault } from '../../masking/row-fault.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
/** Bytes that are looked at in one go. */
const WORD = 4;
const BACKSLASH = 0x5c;
const BACKSLASHES = 0x5c5c5c5c;
/** Bytes of a field from which on a call costs less than a loop. */
const LONG = 256;

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
  #block: ViewedBytes = viewed(Buffer.alloc(0));
  #hasBackslashes = false;

  constructor(columns: number) {
    this.#columns = columns;
    this.#width = Math.max(1, columns);
  }

  /** @throws RowFault where a row has not one field for each column */
  read(block: ViewedBytes): void {
    const { bytes } = block;
    this.#block = block;
    this.#hasBackslashes = bytes.includes(BACKSLASH);
    this.#count = 1;
    this.#lineEnds = 0;
    this.#readBytes(bytes, this.#readWords(block.view));
    this.rows = this.#lineEnds;
    if (!this.#isWhole(bytes)) throw this.#fault(bytes);
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

  /** Whether a field has a backslash. */
  hasBackslash(start: number, end: number): boolean {
    if (!this.#hasBackslashes) return false;
    const { bytes, view } = this.#block;
    if (end - start > LONG) {
      const found = bytes.indexOf(BACKSLASH, start);
      return found >= 0 && found < end;
    }
    let at = start;
    for (; at + WORD <= end; at += WORD) if (hasZero(view.getInt32(at, true) ^ BACKSLASHES)) return true;
    for (; at < end; at++) if (bytes[at] === BACKSLASH) return true;
    return false;
  }

  /** How many bytes were read: all but the last few. */
  #readWords(view: DataView): number {
    let marks = this.#marks;
    let [count, lineEnds] = [this.#count, 0];
    const end = view.byteLength & -WORD;
    for (let at = 0; at < end; at += WORD) {
      const word = view.getInt32(at, true);
      // Has a bit for each byte less than 11 ("Determine if a word has a byte less than n", Bit Twiddling Hacks by Sean Eron Anderson), and perhaps for one that is 11.
      let found = (word - 0x0b0b0b0b) & ~word & 0x80808080;
      if (found === 0) continue;
      // Of all these numbers 9 and 10 alone (tab, line end) have the bit 8 and one of the bits 1 and 2; 10 has 2.
      found &= (word << 4) & ((word << 6) ^ (word << 7));
      lineEnds += Math.imul((found & (word << 6)) >>> 7, 0x01010101) >>> 24;
      if (count + WORD > marks.length) marks = this.#marks = doubled(marks);
      for (; found !== 0; found &= found - 1) marks[count++] = at + ((31 - Math.clz32(found & -found)) >> 3);
    }
    this.#count = count;
    this.#lineEnds = lineEnds;
    return end;
  }

  #readBytes(block: Uint8Array, from: number): void {
    if (this.#count + WORD > this.#marks.length) this.#marks = doubled(this.#marks);
    for (let at = from; at < block.length; at++) {
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

/** Whether one of the four bytes is zero. */
function hasZero(word: number): boolean {
  return ((word - 0x01010101) & ~word & 0x80808080) !== 0;
}

function doubled(list: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(2 * list.length);
  longer.set(list);
  return longer;
}
