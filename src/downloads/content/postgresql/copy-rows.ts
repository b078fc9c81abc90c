import { isAscii, isUtf8 } from 'node:buffer';
import {
  ABSENT,
  type ByteValues,
  lieIn,
  makeRoom,
  noValues,
  type ViewedBytes,
  viewed,
} from '../../masking/byte-values.ts';
import { copied } from '../../masking/copied-bytes.ts';
import { faultAt, RowFault } from '../../masking/row-fault.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';
import { checkEscapedBytes } from './check-escapes.ts';
import { CopyLines } from './copy-lines.ts';
import { characters, copyField, copyValue } from './copy-text.ts';

/** Rows as COPY writes them in its text format, a line each. What is not changed keeps its bytes. */
export function createCopyRows({ columns }: RowSource, table: TableMasker): RowFormat {
  return new CopyRows(columns.length, table);
}

/** A column whose values of a block are masked at once. */
interface WholeColumn {
  index: number;
  mask(values: ByteValues): ByteValues;
  /** Of the block at hand, for each row that is given; `ABSENT` where the field stays. */
  values: ByteValues;
  outputs: ByteValues;
}

class CopyRows implements RowFormat {
  /** Masks row by row what is not masked by whole columns. */
  readonly #table: TableMasker;
  readonly #lines: CopyLines;
  readonly #whole: readonly WholeColumn[];
  /** Indexes of all columns that may change, in ascending order; and for each the whole column, or the position among those of the table. */
  readonly #changed: readonly { index: number; whole: WholeColumn | undefined; position: number }[];
  readonly #values: (string | null)[];
  /** Of the row at hand, by the index of the column. */
  readonly #before: (string | null)[];
  /** What the table's changed columns become, for each row that is given: in Latin-1; undefined where the field stays. */
  #fields: (string | undefined)[] = [];
  /** The rows that are given; of them those that rules leave as they are. */
  #rows = new Int32Array(0);
  #exempt = new Uint8Array(0);
  #count = 0;

  constructor(columns: number, table: TableMasker) {
    const { seeded, others } = table.split(true);
    this.#table = others;
    this.#lines = new CopyLines(columns);
    this.#whole = seeded.map((column) => ({
      index: column.index,
      mask: (values) => column.mask(values),
      values: noValues(),
      outputs: noValues(),
    }));
    this.#changed = [
      ...this.#whole.map((whole) => ({ index: whole.index, whole, position: -1 })),
      ...others.changed.map((index, position) => ({ index, whole: undefined, position })),
    ].sort((one, other) => one.index - other.index);
    this.#values = new Array<string | null>(columns).fill(null);
    this.#before = new Array<string | null>(columns).fill(null);
  }

  mask(block: Buffer, firstOrdinal: number): MaskedBlock {
    if (!isUtf8(block)) throw new RowFault(0, 'it, or a row soon after it, is not in UTF-8');
    checkEscapedBytes(block);
    this.#lines.read(block);
    this.#choose(firstOrdinal);
    this.#maskRows(block, firstOrdinal);
    for (const column of this.#whole) this.#maskColumn(column, block);
    return { bytes: this.#written(viewed(block)), rowsIn: this.#lines.rows, rowsOut: this.#count };
  }

  #choose(firstOrdinal: number): void {
    const { rows } = this.#lines;
    if (this.#rows.length < rows) {
      this.#rows = new Int32Array(rows);
      this.#exempt = new Uint8Array(rows);
    }
    this.#count = 0;
    for (let row = 0; row < rows; row++)
      if (!this.#table.selects || this.#isKept(row, firstOrdinal)) this.#rows[this.#count++] = row;
    this.#exempt.fill(0, 0, this.#count);
  }

  #isKept(row: number, firstOrdinal: number): boolean {
    try {
      return this.#table.isKept(firstOrdinal + row);
    } catch (error) {
      throw faultAt(row, error);
    }
  }

  #maskRows(block: Buffer, firstOrdinal: number): void {
    const { needed, changed } = this.#table;
    this.#fields = [];
    if (needed.length === 0) return;
    // One character for each byte, so that positions are the same in both.
    const [text, isAsciiText] = [block.toString('latin1'), isAscii(block)];
    const [lines, values, before, fields] = [this.#lines, this.#values, this.#before, this.#fields];
    let row = 0;
    try {
      for (let place = 0; place < this.#count; place++) {
        row = this.#rows[place] as number;
        for (const column of needed) {
          const start = lines.start(row, column);
          const end = lines.end(row, column);
          const field = text.slice(start, end);
          const value = lines.hasBackslash(start, end) ? copyValue(field) : isAsciiText ? field : characters(field);
          before[column] = values[column] = value;
        }
        if (!this.#table.mask(values, firstOrdinal + row)) this.#exempt[place] = 1;
        for (const column of changed) {
          const value = values[column] as string | null;
          fields.push(value === before[column] ? undefined : copyField(value));
        }
      }
    } catch (error) {
      throw faultAt(row, error);
    }
  }

  #maskColumn(column: WholeColumn, block: Buffer): void {
    const [lines, { values, index }] = [this.#lines, column];
    makeRoom(values, this.#count);
    // Values that are written otherwise than they are, behind the block.
    const decoded: Buffer[] = [block];
    let length = block.length;
    for (let place = 0; place < this.#count; place++) {
      const row = this.#rows[place] as number;
      let [start, end] = [lines.start(row, index), lines.end(row, index)];
      if (this.#exempt[place] === 1) start = end = ABSENT;
      else if (lines.hasBackslash(start, end)) {
        const value = copyValue(block.toString('latin1', start, end));
        if (value === null) start = end = ABSENT;
        else {
          const bytes = Buffer.from(value);
          decoded.push(bytes);
          start = length;
          end = length += bytes.length;
        }
      }
      values.starts[place] = start;
      values.ends[place] = end;
    }
    lieIn(values, decoded.length === 1 ? block : Buffer.concat(decoded, length));
    column.outputs = column.mask(values);
  }

  #written(block: ViewedBytes): Uint8Array<ArrayBuffer> {
    const lines = this.#lines;
    const bytes = Buffer.allocUnsafeSlow(this.#length());
    const target = viewed(bytes);
    // Behind the last row that was given, and where what was not written yet begins.
    let [at, from, end] = [0, 0, 0];
    for (let place = 0; place < this.#count; place++) {
      const row = this.#rows[place] as number;
      const begin = lines.start(row, 0);
      if (begin !== end) {
        at = copied(block, from, end, target, at);
        from = begin;
      }
      end = lines.past(row);
      for (const { index, whole, position } of this.#changed) {
        const field = whole === undefined ? this.#fieldOf(place, position) : undefined;
        if (whole === undefined ? field === undefined : whole.values.starts[place] === ABSENT) continue;
        at = copied(block, from, lines.start(row, index), target, at);
        from = lines.end(row, index);
        if (field !== undefined) at += bytes.write(field, at, 'latin1');
        else if (whole !== undefined) {
          const { outputs } = whole;
          at = copied(outputs, outputs.starts[place] as number, outputs.ends[place] as number, target, at);
        }
      }
    }
    copied(block, from, end, target, at);
    return bytes;
  }

  /** Of what is given. */
  #length(): number {
    const [lines, { changed }] = [this.#lines, this.#table];
    let length = 0;
    for (let place = 0; place < this.#count; place++) {
      const row = this.#rows[place] as number;
      length += lines.past(row) - lines.start(row, 0);
      for (let position = 0; position < changed.length; position++) {
        const field = this.#fieldOf(place, position);
        const column = changed[position] as number;
        if (field !== undefined) length += field.length - (lines.end(row, column) - lines.start(row, column));
      }
    }
    for (const { index, values, outputs } of this.#whole)
      for (let place = 0; place < this.#count; place++) {
        const row = this.#rows[place] as number;
        if (values.starts[place] === ABSENT) continue;
        const written = (outputs.ends[place] as number) - (outputs.starts[place] as number);
        length += written - (lines.end(row, index) - lines.start(row, index));
      }
    return length;
  }

  #fieldOf(place: number, position: number): string | undefined {
    return this.#fields[place * this.#table.changed.length + position];
  }
}
