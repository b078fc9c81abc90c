import { freeMemory } from '../../../core/freed-memory.ts';
import type { RowScan } from '../table-content.ts';
import { tableName } from '../table-name.ts';
import type { DumpPiece } from './dump-pieces.ts';
import { dumpStatement } from './dump-statement.ts';
import { DumpTables } from './dump-tables.ts';
import { insertHeader } from './insert-header.ts';
import { type LiteralColumn, textOfLiteral } from './literal.ts';
import { literalColumn } from './literal-column.ts';
import { countRows, nextRow, RowReader, UnreadableRow } from './row-reader.ts';
import { asUnreadable, unreadable } from './unreadable.ts';

/** How the rows of a table that have the same columns are visited. */
interface ScannedRows {
  wanted: readonly number[] | undefined;
  columns: readonly LiteralColumn[];
  reader: RowReader;
}

/** Visits the rows of a dump. */
export class DumpScan {
  readonly #scan: RowScan;
  readonly #tables = new DumpTables();
  readonly #rows = new Map<string, number>();
  readonly #scanned = new Map<string, ScannedRows>();

  constructor(scan: RowScan) {
    this.#scan = scan;
  }

  piece(piece: DumpPiece): void {
    if (piece.kind !== 'statement') return;
    try {
      const said = dumpStatement(piece.bytes, piece.firstWord, piece.delimiter);
      this.#tables.read(piece.bytes, said);
      if (said.kind !== 'rows') return;
      this.#statement(piece.bytes);
      if (piece.isJoined) freeMemory(piece.bytes);
    } catch (error) {
      throw asUnreadable(error);
    }
  }

  /** After the last piece: nobody knows before which rows are a table's last. */
  end(): void {
    for (const definition of this.#tables.definitions) {
      const table = tableName([definition.table]);
      if (!this.#rows.has(table))
        this.#scan.begin(
          table,
          definition.columns.filter(({ isGenerated }) => !isGenerated).map(({ name }) => name),
        );
      this.#scan.end?.(table, this.#rows.get(table) ?? 0);
    }
  }

  #statement(statement: Buffer): void {
    const header = insertHeader(statement);
    const table = tableName([header.table]);
    const columns = this.#tables.columnsOf(header);
    const names = columns.map(({ name }) => name);
    const key = JSON.stringify([table, names]);
    let scanned = this.#scanned.get(key);
    if (scanned === undefined) {
      const wanted = this.#scan.begin(table, names);
      scanned = { wanted, columns: columns.map(literalColumn), reader: new RowReader(columns.length, wanted ?? []) };
      this.#scanned.set(key, scanned);
    }
    let ordinal = this.#rows.get(table) ?? 0;
    try {
      if (scanned.wanted === undefined) ordinal += countRows(statement, header.rowsAt);
      else ordinal = this.#visit(statement, header.rowsAt, table, scanned, ordinal);
    } catch (error) {
      if (error instanceof UnreadableRow)
        throw unreadable(`a row of table ${table} cannot be read: ${error.message}`, { table });
      throw error;
    }
    this.#rows.set(table, ordinal);
  }

  #visit(
    statement: Buffer,
    from: number,
    table: string,
    { wanted = [], columns, reader }: ScannedRows,
    first: number,
  ): number {
    const values: (string | null)[] = [];
    let ordinal = first;
    for (let open = from; open >= 0; ) {
      const end = reader.row(statement, open);
      for (const [at, column] of wanted.entries()) {
        const literal = statement.toString('latin1', reader.starts[column], reader.ends[column]).trim();
        const known = columns[column];
        if (known !== undefined) values[at] = textOfLiteral(literal, known, this.#tables.charset);
      }
      this.#scan.row(table, ordinal++, values);
      open = nextRow(statement, end);
    }
    return ordinal;
  }
}
