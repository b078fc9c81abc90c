import { isUtf8 } from 'node:buffer';
import { faultAt, RowFault } from '../../masking/row-fault.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';
import { bytesOf, characters } from './copy-text.ts';
import { InsertValues, literal } from './insert-values.ts';

/**
 * Rows in INSERT statements that all begin alike, with white space between them.
 * `options.head`: what they begin with, up to the first row; one character for each byte. `options.generated`: indexes of the columns that the database computes,
 * for which only DEFAULT may stand where rows are masked or selected: a value would be made of originals.
 */
export function createInsertRows({ columns, options }: RowSource, table: TableMasker): RowFormat {
  const generated = Array.isArray(options?.generated) ? options.generated.map(Number) : [];
  return new InsertRows(columns.length, { head: String(options?.head), generated }, table);
}

class InsertRows implements RowFormat {
  readonly #columns: number;
  readonly #head: string;
  readonly #generated: readonly number[];
  readonly #table: TableMasker;
  readonly #isChanged: boolean;
  readonly #values: (string | null)[];

  constructor(
    columns: number,
    { head, generated }: { head: string; generated: readonly number[] },
    table: TableMasker,
  ) {
    this.#columns = columns;
    this.#head = head;
    this.#generated = generated;
    this.#table = table;
    this.#isChanged = table.changed.length > 0 || table.selects;
    this.#values = new Array<string | null>(columns).fill(null);
  }

  mask(block: Buffer, firstOrdinal: number): MaskedBlock {
    if (!isUtf8(block)) throw new RowFault(0, 'it, or a row soon after it, is not in UTF-8');
    const text = block.toString('latin1');
    const reader = new InsertValues(text);
    let [out, rowsOut] = ['', 0];
    while (reader.at < text.length) {
      const statement = this.#statement(text, reader, firstOrdinal);
      rowsOut += statement.rows;
      if (statement.rows > 0) out += statement.text;
    }
    const bytes = Buffer.allocUnsafeSlow(out.length);
    bytes.write(out, 'latin1');
    return { bytes, rowsIn: reader.row, rowsOut };
  }

  /** One statement and the white space behind it. */
  #statement(text: string, reader: InsertValues, firstOrdinal: number): { text: string; rows: number } {
    const begin = reader.at;
    if (!text.startsWith(this.#head, begin)) throw new RowFault(reader.row, 'its statement begins in another way');
    reader.at += this.#head.length;
    let [out, rows, rowEnd] = [text.slice(begin, reader.at), 0, reader.at];
    do {
      const [lastEnd, from] = [rowEnd, reader.at];
      reader.readRow(this.#columns);
      rowEnd = reader.at;
      const given = this.#row(text.slice(from, rowEnd), from, reader, firstOrdinal + reader.row - 1);
      if (given === undefined) continue;
      // The comma, unless this is the first that is given.
      if (rows > 0) out += text.slice(lastEnd, from);
      out += given;
      rows++;
    } while (reader.hasAnother());
    reader.skipSpace();
    return { text: out + text.slice(rowEnd, reader.at), rows };
  }

  #row(row: string, from: number, reader: InsertValues, ordinal: number): string | undefined {
    const values = this.#values;
    try {
      if (!this.#table.isKept(ordinal)) return undefined;
      if (this.#isChanged && this.#generated.some((column) => reader.kinds[column] !== 'default'))
        throw new RowFault(0, 'it has a value for a column that the database computes');
      // No rule reads what the database computes.
      for (const column of this.#table.needed)
        values[column] = this.#generated.includes(column) ? null : valueIn(reader, column);
      this.#table.mask(values, ordinal);
      let [out, written] = ['', 0];
      for (const column of this.#table.changed) {
        const value = values[column] ?? null;
        if (value === valueIn(reader, column)) continue;
        const [start, end] = [(reader.starts[column] ?? 0) - from, (reader.ends[column] ?? 0) - from];
        out += row.slice(written, start) + bytesOf(literal(value, reader.kinds[column] ?? 'string'));
        written = end;
      }
      return out + row.slice(written);
    } catch (error) {
      throw faultAt(reader.row - 1, error);
    }
  }
}

function valueIn(reader: InsertValues, column: number): string | null {
  const value = reader.value(column);
  return value === null ? null : characters(value);
}
