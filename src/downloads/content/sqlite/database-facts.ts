import type { DatabaseSync } from 'node:sqlite';
import { isName, isWord, sameName, sqliteTokens } from './sqlite-tokens.ts';
import { shadowsOf } from './virtual-tables.ts';

/** A definition as `sqlite_schema` holds it. */
export interface Definition {
  type: 'table' | 'index' | 'view' | 'trigger';
  name: string;
  /** The table that it belongs to; its own name for tables and views. */
  table: string;
  /** Undefined for indexes that belong to a constraint. */
  sql: string | undefined;
}

export interface TableFacts {
  name: string;
  sql: string;
  isVirtual: boolean;
  hasRowid: boolean;
  columns: readonly ColumnFacts[];
  /** Columns of the primary key, in its order. Empty where there is none. */
  primaryKey: readonly string[];
  /** The column that is another name of the rowid. */
  rowidColumn: string | undefined;
  /** How `SELECT` gives the rows in the order in which they lie in the file: a list for ORDER BY. */
  order: string;
}

export interface ColumnFacts {
  name: string;
  /** As declared; empty where it is not. */
  type: string;
  isNotNull: boolean;
  isGenerated: boolean;
}

export interface DatabaseFacts {
  pageSize: bigint;
  encoding: string;
  autoVacuum: bigint;
  userVersion: bigint;
  applicationId: bigint;
  /** In the order of `sqlite_schema`, which is that in which they were made. Without SQLite's own and those of shadow tables. */
  definitions: readonly Definition[];
  tables: readonly TableFacts[];
  hasSequences: boolean;
}

type Row = readonly unknown[];

/** Reads what a database's tables are; no statement of the database itself is run. */
export function databaseFacts(database: DatabaseSync): DatabaseFacts {
  const all = definitionsOf(database);
  const shadows = new Set(all.flatMap((each) => shadowsOf(each).map(sameName)));
  const definitions = all.filter(
    ({ name, table, sql, type }) =>
      !isInternal(name) && !shadows.has(sameName(table)) && (sql !== undefined || type === 'table'),
  );
  return {
    pageSize: numberOf(database, 'page_size'),
    encoding: String(rowsOf(database, 'PRAGMA encoding')[0]?.[0]),
    autoVacuum: numberOf(database, 'auto_vacuum'),
    userVersion: numberOf(database, 'user_version'),
    applicationId: numberOf(database, 'application_id'),
    definitions,
    tables: definitions.filter(({ type }) => type === 'table').map((each) => tableFacts(database, each)),
    hasSequences: all.some(({ name }) => name === 'sqlite_sequence'),
  };
}

export function rowsOf(database: DatabaseSync, sql: string, ...values: readonly string[]): Row[] {
  // With `returnArrays` rows are arrays.
  return database.prepare(sql).all(...values) as unknown as Row[];
}

function numberOf(database: DatabaseSync, pragma: string): bigint {
  const value = rowsOf(database, `PRAGMA ${pragma}`)[0]?.[0];
  return typeof value === 'bigint' ? value : 0n;
}

function definitionsOf(database: DatabaseSync): Definition[] {
  const rows = rowsOf(database, 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid');
  return rows.map(([type, name, table, sql]) => ({
    type: type as Definition['type'],
    name: String(name),
    table: String(table),
    sql: typeof sql === 'string' ? sql : undefined,
  }));
}

function isInternal(name: string): boolean {
  return sameName(name).startsWith('sqlite_');
}

function tableFacts(database: DatabaseSync, { name, sql = '' }: Definition): TableFacts {
  const tokens = sqliteTokens(sql);
  const isVirtual = isWord(tokens[1], 'virtual');
  const rows = rowsOf(
    database,
    'SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?, \'main\') ORDER BY cid',
    name,
  );
  const columns = rows
    .filter(([, , , , hidden]) => hidden !== 1n)
    .map(([column, type, isNotNull, , hidden]) => ({
      name: String(column),
      type: String(type)
        .replace(/\s*\bgenerated always$/i, '')
        .trim(),
      isNotNull: isNotNull === 1n,
      isGenerated: hidden === 2n || hidden === 3n,
    }));
  const key = rows.filter(([, , , pk]) => pk !== 0n).sort((one, other) => Number(one[3]) - Number(other[3]));
  const facts = { name, sql, isVirtual, columns, primaryKey: key.map(([column]) => String(column)) };
  const primaryIndex = primaryIndexOf(database, name);
  if (primaryIndex !== undefined && isWithoutRowid(database, name))
    return { ...facts, hasRowid: false, rowidColumn: undefined, order: orderOf(database, primaryIndex) };
  const rowidColumn = key.length === 1 && primaryIndex === undefined ? facts.primaryKey[0] : undefined;
  return { ...facts, hasRowid: true, rowidColumn, order: '' };
}

function isWithoutRowid(database: DatabaseSync, name: string): boolean {
  return rowsOf(database, "SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'", name)[0]?.[0] === 1n;
}

function primaryIndexOf(database: DatabaseSync, table: string): string | undefined {
  const [row] = rowsOf(database, "SELECT name FROM pragma_index_list(?, 'main') WHERE origin = 'pk'", table);
  return row === undefined ? undefined : String(row[0]);
}

function orderOf(database: DatabaseSync, index: string): string {
  const sql = 'SELECT name, "desc", coll FROM pragma_index_xinfo(?, \'main\') WHERE key = 1 ORDER BY seqno';
  return rowsOf(database, sql, index)
    .map(([name, isDescending, collation]) => {
      const column = `"${String(name).replaceAll('"', '""')}"`;
      return `${column} COLLATE "${String(collation).replaceAll('"', '""')}"${isDescending === 1n ? ' DESC' : ''}`;
    })
    .join(', ');
}

/** True where a view or trigger reads or writes one of some tables or views, as far as its text tells. Names as `sameName` gives them. */
export function mentions(sql: string, tables: ReadonlySet<string>): boolean {
  const tokens = sqliteTokens(sql);
  return tokens.some((token, at) => {
    if (!isName(token) || !tables.has(sameName(token.text))) return false;
    const before = tokens[at - 1];
    if (before?.text === '.') return ['main', 'temp'].includes(sameName(tokens[at - 2]?.text ?? ''));
    return (
      before?.text === ',' || before?.text === '(' || isWord(before, 'from', 'join', 'into', 'update', 'on', 'replace')
    );
  });
}
