import type { DatabaseSync } from 'node:sqlite';
import { tableName } from '../table-name.ts';
import { databaseFacts, type TableFacts } from './database-facts.ts';
import { unreadable } from './sqlite-fault.ts';
import { quotedName } from './sqlite-tokens.ts';
import { type SqliteValue, textOf } from './sqlite-values.ts';
import { rowKeyOf, storedColumns } from './table-rows.ts';

/** Who is told of rows. Each call is waited for. */
export interface ScanListener {
  begin(table: string, columns: readonly string[]): Promise<readonly number[] | undefined>;
  rows(table: string, firstOrdinal: number, rows: readonly (readonly (string | null)[])[]): Promise<void>;
  end(table: string, rows: number): Promise<void>;
}

/** Rows or characters that are told of at once. */
const [MOST_ROWS, MOST_TEXT] = [2000, 1 << 20];

/** Visits the rows of a database's tables in the order in which `copyDatabase` counts them. Virtual tables are passed over. */
export async function scanDatabase(database: DatabaseSync, listener: ScanListener): Promise<void> {
  try {
    for (const table of databaseFacts(database).tables)
      if (!table.isVirtual) await scanTable(database, table, listener);
  } catch (error) {
    throw unreadable(error);
  }
}

async function scanTable(database: DatabaseSync, table: TableFacts, listener: ScanListener): Promise<void> {
  const name = tableName([table.name]);
  const columns = storedColumns(table);
  const wanted = await listener.begin(name, columns);
  const from = `FROM ${quotedName(table.name)}`;
  if (wanted === undefined) {
    const row = database.prepare(`SELECT count(*) ${from}`).get() as unknown as SqliteValue[];
    await listener.end(name, Number(row[0]));
    return;
  }
  const list = ['0', ...wanted.map((column) => quotedName(columns[column] ?? ''))].join(', ');
  const statement = database.prepare(`SELECT ${list} ${from} ORDER BY ${rowKeyOf(table).order}`);
  let [ordinal, text] = [0, 0];
  let rows: (string | null)[][] = [];
  // With `returnArrays` rows are arrays.
  for (const row of statement.iterate() as Iterable<unknown> as Iterable<SqliteValue[]>) {
    const values = row.slice(1).map(textOf);
    for (const value of values) text += value?.length ?? 0;
    rows.push(values);
    ordinal++;
    if (rows.length < MOST_ROWS && text < MOST_TEXT) continue;
    await listener.rows(name, ordinal - rows.length, rows);
    [rows, text] = [[], 0];
  }
  if (rows.length > 0) await listener.rows(name, ordinal - rows.length, rows);
  await listener.end(name, ordinal);
}
