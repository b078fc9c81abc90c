import type { TableFacts } from './database-facts.ts';
import { variantFailed } from './sqlite-fault.ts';
import { quotedName, sameName } from './sqlite-tokens.ts';

/** How the rows of a table are found: one after the other in the order in which they lie in the file, and each by its key. */
export interface RowKey {
  /** Expressions that name one row. */
  columns: readonly string[];
  /** For ORDER BY. */
  order: string;
  /** The name of the rowid where it is no column of the table's definition: it is written too. */
  rowid: string | undefined;
}

export function rowKeyOf(table: TableFacts): RowKey {
  if (!table.hasRowid) return { columns: table.primaryKey.map(quotedName), order: table.order, rowid: undefined };
  if (table.rowidColumn !== undefined) {
    const column = quotedName(table.rowidColumn);
    return { columns: [column], order: column, rowid: undefined };
  }
  const taken = new Set(table.columns.map(({ name }) => sameName(name)));
  const rowid = ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name));
  if (rowid === undefined)
    throw variantFailed(
      `The rows of table ${table.name} cannot be told apart: it has columns rowid, oid and _rowid_ of its own. Rename one of them.`,
      { table: table.name },
    );
  return { columns: [rowid], order: rowid, rowid };
}

/** Columns that hold values of their own, in their order. */
export function storedColumns(table: TableFacts): string[] {
  return table.columns.filter(({ isGenerated }) => !isGenerated).map(({ name }) => name);
}
