import type { DatabaseSync } from 'node:sqlite';
import type { ColumnSchema, ContentSchema, ForeignKey, TableSchema, TypeFamily, UniqueKey } from '../content-schema.ts';
import { tableName } from '../table-name.ts';
import { type DatabaseFacts, databaseFacts, rowsOf, type TableFacts } from './database-facts.ts';
import { listedValues } from './listed-values.ts';
import { isName, sameName, sqliteTokens } from './sqlite-tokens.ts';

/** What a masking policy must speak of in a database. */
export function databaseSchema(database: DatabaseSync): ContentSchema {
  const facts = databaseFacts(database);
  return { dialect: 'sqlite', tables: facts.tables.map((table) => tableSchema(database, table, facts)) };
}

function tableSchema(database: DatabaseSync, table: TableFacts, facts: DatabaseFacts): TableSchema {
  const listed = listedValues(table.sql);
  return {
    name: tableName([table.name]),
    columns: table.columns.map((column) => columnSchema(table, column, listed.get(sameName(column.name)))),
    uniqueKeys: table.isVirtual ? [] : uniqueKeys(database, table, facts),
    foreignKeys: table.isVirtual ? [] : foreignKeys(database, table, facts),
    isPartitioned: false,
    ...(table.isVirtual
      ? { dropOnly: 'it is virtual, and the tables behind it hold copies of texts that no rule reaches' }
      : {}),
  };
}

function columnSchema(
  table: TableFacts,
  { name, type, isNotNull, isGenerated }: TableFacts['columns'][number],
  allowedValues: readonly string[] | undefined,
): ColumnSchema {
  const isKey = table.primaryKey.includes(name) && (!table.hasRowid || table.rowidColumn === name);
  return {
    name,
    type: type.toLowerCase(),
    family: familyOf(type),
    isNullable: !isNotNull && !isKey,
    isGenerated,
    ...(allowedValues === undefined ? {} : { allowedValues }),
  };
}

/**
 * By the name alone: SQLite stores anything in any column. A length such as that of `varchar(20)` binds nobody, and booleans are the integers
 * 0 and 1.
 */
export function familyOf(declared: string): TypeFamily {
  const type = declared.toLowerCase();
  return FAMILIES.find(([pattern]) => pattern.test(type))?.[1] ?? 'text';
}

const FAMILIES: readonly (readonly [RegExp, TypeFamily])[] = [
  [/^json$/, 'json'],
  [/^uuid$/, 'uuid'],
  [/timestamp|datetime/, 'timestamp'],
  [/^date$/, 'date'],
  [/^time$/, 'time'],
  [/^interval/, 'interval'],
  [/int(?!er)|bool/, 'integer'],
  [/char|clob|text/, 'text'],
  [/blob|binary|bytea/, 'bytes'],
  [/real|floa|doub|num|dec|money/, 'numeric'],
];

function uniqueKeys(database: DatabaseSync, table: TableFacts, facts: DatabaseFacts): UniqueKey[] {
  const sql = 'SELECT name, origin FROM pragma_index_list(?, \'main\') WHERE "unique" = 1 ORDER BY seq DESC';
  const keys = rowsOf(database, sql, table.name).map(([name, origin]): UniqueKey => {
    const parts = rowsOf(
      database,
      "SELECT cid, name FROM pragma_index_xinfo(?, 'main') WHERE key = 1 ORDER BY seqno",
      String(name),
    );
    const isExpression = parts.some(([cid]) => cid === -2n);
    const columns = isExpression
      ? columnsNamedIn(facts, String(name), table)
      : parts.map(([cid, column]) => (cid === -1n ? (table.rowidColumn ?? 'rowid') : String(column)));
    return { name: String(name), columns, isPrimary: origin === 'pk', isExpression };
  });
  if (table.rowidColumn !== undefined)
    keys.push({ name: 'PRIMARY KEY', columns: [table.rowidColumn], isPrimary: true, isExpression: false });
  return [...keys.filter(({ isPrimary }) => isPrimary), ...keys.filter(({ isPrimary }) => !isPrimary)];
}

/** Columns that the definition of an index may read: all whose names it holds. */
function columnsNamedIn({ definitions }: DatabaseFacts, index: string, table: TableFacts): string[] {
  const tokens = sqliteTokens(definitions.find(({ type, name }) => type === 'index' && name === index)?.sql ?? '');
  const named = new Set(tokens.filter(isName).map(({ text }) => sameName(text)));
  return table.columns.map(({ name }) => name).filter((name) => named.has(sameName(name)));
}

function foreignKeys(database: DatabaseSync, table: TableFacts, { tables }: DatabaseFacts): ForeignKey[] {
  const rows = rowsOf(
    database,
    'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?, \'main\') ORDER BY id DESC, seq',
    table.name,
  );
  const keys: (ForeignKey & { columns: string[]; targetColumns: string[] })[] = [];
  let last: unknown;
  for (const [id, target, from, to] of rows) {
    const found = tables.find(({ name }) => sameName(name) === sameName(String(target)));
    if (id !== last || keys.length === 0)
      keys.push({
        name: `foreign key ${keys.length + 1}`,
        columns: [],
        target: tableName([found?.name ?? String(target)]),
        targetColumns: [],
      });
    last = id;
    const key = keys.at(-1);
    key?.columns.push(properName(table, String(from)));
    const position = (key?.columns.length ?? 1) - 1;
    const column = typeof to === 'string' ? to : (found?.primaryKey[position] ?? '');
    key?.targetColumns.push(found === undefined ? column : properName(found, column));
  }
  return keys;
}

/** A column as its definition spells it. */
function properName({ columns }: TableFacts, name: string): string {
  return columns.find((column) => sameName(column.name) === sameName(name))?.name ?? name;
}
