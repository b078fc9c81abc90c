import { isUtf8 } from 'node:buffer';
import { RowFault } from '../../masking/row-fault.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';
import { CsvFault, CsvRecords, type CsvSyntax, csvField } from './csv-syntax.ts';
import { looksLikeFormula } from './spreadsheet-formula.ts';

/** What the format must know, in `RowSource.options`. */
export interface CsvRowsOptions extends Record<string, unknown>, CsvSyntax {}

/** Records of values between delimiters, without the header. An empty field is '' and never NULL; NULL is written as an empty field. */
export function createCsvRows({ columns, options }: RowSource, table: TableMasker): RowFormat {
  return new CsvRows(columns, options as CsvRowsOptions, table);
}

class CsvRows implements RowFormat {
  readonly #columns: readonly string[];
  readonly #syntax: CsvSyntax;
  readonly #table: TableMasker;
  readonly #values: (string | null)[];
  readonly #originals: (string | null)[];

  constructor(columns: readonly string[], syntax: CsvSyntax, table: TableMasker) {
    this.#columns = columns;
    this.#syntax = syntax;
    this.#table = table;
    this.#values = new Array<string | null>(columns.length).fill(null);
    this.#originals = new Array<string | null>(columns.length).fill(null);
  }

  mask(block: Buffer, firstOrdinal: number): MaskedBlock {
    if (!isUtf8(block)) throw new RowFault(0, 'it, or a row soon after it, is not in UTF-8');
    const text = block.toString('latin1');
    const records = new CsvRecords(text, this.#syntax);
    let [out, written, rows] = ['', 0, 0];
    while (this.#read(records, rows)) {
      // With one column, it is a row whose value is empty.
      if (records.isEmpty && this.#columns.length > 1) continue;
      this.#mask(records, rows, firstOrdinal + rows);
      rows++;
      for (const column of this.#table.changed) {
        if (this.#values[column] === this.#originals[column]) continue;
        out += text.slice(written, records.starts[column]) + this.#field(records, column);
        written = records.ends[column] ?? 0;
      }
    }
    out += text.slice(written);
    const bytes = Buffer.allocUnsafeSlow(out.length);
    bytes.write(out, 'latin1');
    return { bytes, rowsIn: rows, rowsOut: rows };
  }

  #read(records: CsvRecords, row: number): boolean {
    try {
      return records.read();
    } catch (error) {
      throw error instanceof CsvFault ? new RowFault(row, error.message) : error;
    }
  }

  #mask(records: CsvRecords, row: number, ordinal: number): void {
    const [wanted, fields] = [this.#columns.length, records.fields];
    if (fields !== wanted) throw new RowFault(row, `it has ${fields} fields where there are ${wanted} columns`);
    for (const column of this.#table.needed) this.#originals[column] = this.#values[column] = records.value(column);
    try {
      this.#table.mask(this.#values, ordinal);
    } catch (error) {
      throw error instanceof RowFault ? error : new RowFault(row, undefined, error);
    }
    for (const column of this.#table.changed) {
      const [value, original] = [this.#values[column] ?? '', this.#originals[column] ?? ''];
      if (looksLikeFormula(value) && !looksLikeFormula(original))
        throw new RowFault(row, `the rule of column "${this.#columns[column]}" gave what spreadsheets would run`);
    }
  }

  #field(records: CsvRecords, column: number): string {
    const value = this.#values[column] ?? null;
    // An empty line would be no row.
    if (value === null) return this.#columns.length > 1 ? '' : csvField('', this.#syntax, true);
    return csvField(value, this.#syntax, records.isQuoted(column) || (value === '' && this.#columns.length === 1));
  }
}
