import type { SqlPiece } from '../../sql/sql-lexer.ts';
import type { RowScan } from '../table-content.ts';
import { characters } from './copy-text.ts';
import { decoded } from './definition.ts';
import { FoundFields } from './found-fields.ts';
import { insertHead } from './insert-head.ts';
import { InsertValues } from './insert-values.ts';
import { countLineEnds } from './row-blocks.ts';
import { defaultColumns } from './row-columns.ts';
import { SchemaReader } from './schema-reader.ts';
import { rowError, variantFailed } from './unreadable.ts';
import { WholeRows } from './whole-rows.ts';

interface ScannedCopy {
  table: string;
  whole: WholeRows;
  fields: FoundFields;
  values: (string | null)[];
}

/** Shows the rows of a dump to whoever wants to see them. */
export class DumpScanner {
  readonly #scan: RowScan;
  readonly #schema = new SchemaReader();
  readonly #rows = new Map<string, number>();
  #copy: ScannedCopy | undefined;
  /** The table of the COPY whose rows are only counted. */
  #counted: string | undefined;

  constructor(scan: RowScan) {
    this.#scan = scan;
  }

  /** @throws HoldfastError `variant-failed` (invalid) for rows that are not as their table's */
  piece(piece: SqlPiece): void {
    if (piece.kind === 'rows') this.#copied(piece.bytes);
    else if (piece.kind === 'rows-end') this.#copyEnds();
    else if (piece.kind === 'statement') this.#statement(piece);
  }

  end(): void {
    for (const [table, rows] of this.#rows) this.#scan.end?.(table, rows);
  }

  #statement({ bytes, firstWord, copy }: SqlPiece & { kind: 'statement' }): void {
    if (copy !== undefined) this.#copyBegins(copy.table.map(decoded), copy.columns?.map(decoded));
    else if (firstWord === 'insert') this.#insert(bytes);
    else this.#schema.read(bytes, firstWord);
  }

  #begin(parts: readonly string[], named: readonly string[] | undefined, withGenerated: boolean) {
    const table = this.#schema.nameOf(parts);
    const definition = this.#schema.table(table);
    const columns = named ?? (definition && defaultColumns(definition, withGenerated));
    if (columns === undefined)
      throw variantFailed(`Rows of table "${table}" are without names of their columns.`, { table });
    if (!this.#rows.has(table)) this.#rows.set(table, 0);
    return { table, columns, wanted: this.#scan.begin(table, columns) };
  }

  #copyBegins(parts: readonly string[], named: readonly string[] | undefined): void {
    const { table, columns, wanted } = this.#begin(parts, named, false);
    if (wanted === undefined) {
      this.#counted = table;
      return;
    }
    const fields = new FoundFields(columns.length, wanted);
    this.#copy = { table, whole: new WholeRows(table), fields, values: wanted.map(() => null) };
  }

  #copied(bytes: Buffer): void {
    if (this.#copy === undefined) {
      const table = this.#counted ?? '';
      this.#rows.set(table, (this.#rows.get(table) ?? 0) + countLineEnds(bytes));
    } else for (const rows of this.#copy.whole.push(bytes)) this.#wholeRows(this.#copy, rows);
  }

  #copyEnds(): void {
    this.#copy = undefined;
    this.#counted = undefined;
  }

  #wholeRows({ table, fields, values }: ScannedCopy, rows: Buffer): void {
    let ordinal = this.#rows.get(table) ?? 0;
    const scan = this.#scan;
    this.#orFault(table, ordinal, () => {
      const length = fields.begin(rows);
      for (let from = 0; from < length; ordinal++) {
        from = fields.next(from);
        if (scan.fields !== undefined) scan.fields(table, ordinal, fields);
        else {
          for (let index = 0; index < values.length; index++) values[index] = fields.value(index);
          scan.row(table, ordinal, values);
        }
      }
    });
    this.#rows.set(table, ordinal);
  }

  #insert(statement: Buffer): void {
    const { table: parts, columns: named, head } = insertHead(statement);
    const { table, columns, wanted } = this.#begin(parts, head === undefined ? [] : named, true);
    let ordinal = this.#rows.get(table) ?? 0;
    if (head === undefined) {
      if (wanted !== undefined) this.#scan.row(table, ordinal, []);
      this.#rows.set(table, ordinal + 1);
      return;
    }
    const reader = new InsertValues(statement.toString('latin1'));
    reader.at = head.length;
    this.#orFault(table, ordinal, () => {
      do {
        reader.readRow(columns.length);
        if (wanted !== undefined)
          this.#scan.row(
            table,
            ordinal,
            wanted.map((column) => insertedValue(reader, column)),
          );
        ordinal++;
      } while (reader.hasAnother());
    });
    this.#rows.set(table, ordinal);
  }

  #orFault(table: string, ordinal: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      throw rowError(error, table, ordinal);
    }
  }
}

function insertedValue(reader: InsertValues, column: number): string | null {
  const value = reader.value(column);
  return value === null ? null : characters(value);
}
