import { isAscii } from 'node:buffer';
import { RowFault } from '../../masking/row-fault.ts';
import type { SqlPiece } from '../../sql/sql-lexer.ts';
import type { RowScan } from '../table-content.ts';
import { CopyFields } from './copy-fields.ts';
import { characters } from './copy-text.ts';
import { decoded } from './definition.ts';
import { insertHead } from './insert-head.ts';
import { InsertValues } from './insert-values.ts';
import { countLineEnds, RowBlocks } from './row-blocks.ts';
import { defaultColumns } from './row-columns.ts';
import { SchemaReader } from './schema-reader.ts';
import { variantFailed } from './unreadable.ts';

interface ScannedCopy {
  table: string;
  blocks: RowBlocks;
  fields: CopyFields;
  /** For each wanted column in the order that was asked for, its position among the fields. */
  positions: readonly number[];
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
    const ascending = [...new Set(wanted)].sort((one, other) => one - other);
    const positions = wanted.map((column) => ascending.indexOf(column));
    const fields = new CopyFields(columns.length, ascending);
    this.#copy = { table, blocks: new RowBlocks(table), fields, positions, values: wanted.map(() => null) };
  }

  #copied(bytes: Buffer): void {
    if (this.#copy === undefined) {
      const table = this.#counted ?? '';
      this.#rows.set(table, (this.#rows.get(table) ?? 0) + countLineEnds(bytes));
    } else for (const block of this.#copy.blocks.push(bytes)) this.#block(this.#copy, block);
  }

  #copyEnds(): void {
    const rest = this.#copy?.blocks.rest();
    if (this.#copy !== undefined && rest !== undefined) this.#block(this.#copy, rest);
    this.#copy = undefined;
    this.#counted = undefined;
  }

  #block({ table, fields, positions, values }: ScannedCopy, block: Uint8Array<ArrayBuffer>): void {
    const text = Buffer.from(block.buffer, block.byteOffset, block.length).toString('latin1');
    let ordinal = this.#rows.get(table) ?? 0;
    const ascending: (string | null)[] = [];
    this.#orFault(table, ordinal, () => {
      fields.begin(text, isAscii(block));
      for (let from = 0; from < block.length; ordinal++) {
        from = fields.next(from, 0);
        for (let index = 0; index < fields.starts.length; index++) ascending[index] = fields.value(index);
        for (const [index, position] of positions.entries()) values[index] = ascending[position] ?? null;
        this.#scan.row(table, ordinal, values);
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
      if (!(error instanceof RowFault)) throw error;
      throw variantFailed(`A row of table "${table}" (after row ${ordinal}) cannot be read: ${error.what}.`, { table });
    }
  }
}

function insertedValue(reader: InsertValues, column: number): string | null {
  const value = reader.value(column);
  return value === null ? null : characters(value);
}
