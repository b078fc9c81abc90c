import { isUtf8 } from 'node:buffer';
import { RowFault } from '../../masking/row-fault.ts';
import type { TableSelection } from '../../masking/row-selection.ts';
import { checkEscapes } from './check-escapes.ts';
import { chosenBlockBytes } from './chosen-block.ts';
import { nextChosen } from './next-chosen.ts';
import { otherRows, rowError } from './unreadable.ts';
import { WholeRows } from './whole-rows.ts';

const BLOCK = 120 << 10;

/** A block for `createChosenCopyRows`. */
export interface BlockOfChosen {
  bytes: Uint8Array<ArrayBuffer>;
  /** Rows of the source that it stands for, those that are not chosen among them. */
  span: number;
}

/** Takes the chosen rows out of those of a COPY, which come cut anywhere. Of the others nothing is looked for but their line ends. */
export class ChosenRows {
  /** Of the next row. */
  #ordinal: number;
  readonly #table: string;
  readonly #selection: TableSelection;
  readonly #isSifted: boolean;
  readonly #whole: WholeRows;
  /** The next row that is chosen; as many as there are rows, where there is none. */
  #next: number;
  /** Of the first row that the current block stands for. */
  #first: number;
  #rows = Buffer.allocUnsafeSlow(BLOCK + (BLOCK >> 2));
  #bytes = 0;
  #places: number[] = [];

  /** @param isSifted whether only rows come that are chosen, because others were left out before (`ArchiveSieve`) */
  constructor(table: string, selection: TableSelection, firstOrdinal: number, isSifted = false) {
    this.#table = table;
    this.#selection = selection;
    this.#isSifted = isSifted;
    this.#whole = new WholeRows(table);
    this.#ordinal = firstOrdinal;
    this.#first = firstOrdinal;
    this.#next = nextChosen(selection, firstOrdinal);
  }

  /** The blocks that are full. What is given may change afterwards: it is copied. */
  *push(bytes: Buffer): Generator<BlockOfChosen> {
    for (const rows of this.#whole.push(bytes)) yield* this.#wholeRows(rows);
  }

  /**
   * What is left, after the last row. What stands behind that is the beginning of the line that ends all.
   * @param rows that the table had where others were left out before
   */
  rest(rows = this.#ordinal): BlockOfChosen | undefined {
    if (rows < this.#ordinal) throw otherRows(this.#table);
    this.#ordinal = rows;
    return this.#ordinal === this.#first ? undefined : this.#cut();
  }

  *#wholeRows(rows: Buffer): Generator<BlockOfChosen> {
    // Searches in strings are several times faster than loops over bytes.
    const text = rows.toString('latin1');
    this.#check(rows, text);
    for (let from = 0; from < text.length; ) {
      if (this.#isSifted) this.#ordinal = this.#next;
      for (; this.#ordinal < this.#next && from < text.length; this.#ordinal++) from = text.indexOf('\n', from) + 1;
      if (from === text.length) return;
      if (this.#ordinal >= this.#selection.rows) throw otherRows(this.#table);
      const end = text.indexOf('\n', from) + 1;
      this.#take(rows.subarray(from, end));
      from = end;
      if (this.#bytes >= BLOCK) yield this.#cut();
    }
  }

  #check(rows: Buffer, text: string): void {
    try {
      if (!isUtf8(rows)) throw new RowFault(0, 'it, or a row soon after it, is not in UTF-8');
      if (text.includes('\0')) throw new RowFault(0, 'it, or a row soon after it, holds the character NUL');
      checkEscapes(text);
    } catch (error) {
      throw rowError(error, this.#table, this.#ordinal);
    }
  }

  #take(row: Buffer): void {
    if (this.#bytes + row.length > this.#rows.length) {
      const larger = Buffer.allocUnsafeSlow(this.#bytes + row.length);
      this.#rows.copy(larger, 0, 0, this.#bytes);
      this.#rows = larger;
    }
    this.#bytes += row.copy(this.#rows, this.#bytes);
    this.#places.push(this.#ordinal - this.#first);
    this.#ordinal++;
    this.#next = nextChosen(this.#selection, this.#ordinal);
  }

  #cut(): BlockOfChosen {
    const span = this.#ordinal - this.#first;
    const places = Int32Array.from(this.#places);
    const bytes = chosenBlockBytes({ span, places, rows: this.#rows.subarray(0, this.#bytes) });
    this.#places = [];
    this.#bytes = 0;
    this.#first = this.#ordinal;
    return { bytes, span };
  }
}
