import { identifierOf } from '../../sql/sql-tokens.ts';
import type { ForeignKey, UniqueKey } from '../content-schema.ts';
import { readType, type TypeUse } from './column-type.ts';
import { type Definition, decoded } from './definition.ts';
import { listedValues } from './listed-values.ts';
import { unreadable } from './unreadable.ts';

/** A table as its statements make it, before its types are looked up. */
export interface TableDefinition {
  name: string;
  columns: ColumnDefinition[];
  uniqueKeys: UniqueKey[];
  foreignKeys: ForeignKey[];
  /** The values that a CHECK lists, by column. */
  listed: Map<string, string[]>;
  parent?: string;
  isPartitioned: boolean;
  /** True where no statement makes it: rows alone say that it is there. */
  isOfRows: boolean;
}

export interface ColumnDefinition {
  name: string;
  type: TypeUse;
  isNullable: boolean;
  isGenerated: boolean;
}

/** How names of tables are written. */
export type Naming = (parts: readonly string[]) => string;

const CONSTRAINTS = ['constraint', 'primary', 'unique', 'check', 'foreign', 'exclude', 'not'];

/** Reads what stands between the parentheses of CREATE TABLE, or behind ADD. */
export function readTableItem(table: TableDefinition, item: Definition, naming: Naming): void {
  if (item.is('like')) throw unreadable(`table "${table.name}" is made LIKE another one`);
  if (CONSTRAINTS.some((word) => item.is(word))) readConstraint(table, item, naming);
  else readColumn(table, item, naming);
}

function readColumn(table: TableDefinition, item: Definition, naming: Naming): void {
  const name = item.identifier();
  // A partition or a typed table may say more of a column without its type.
  const known = table.columns.find((column) => column.name === name);
  const type = item.take('with', 'options') ? undefined : readType(item);
  if (name === undefined || (type === undefined && known === undefined))
    throw unreadable(`table "${table.name}" has a column whose definition is not understood`);
  const column = known ?? { name, type: type as TypeUse, isNullable: true, isGenerated: false };
  if (known === undefined) table.columns.push(column);
  if (column.type.name.at(-1)?.endsWith('serial') === true) column.isNullable = false;
  while (!item.isAtEnd) readColumnConstraint(table, column, item, naming);
}

function readColumnConstraint(table: TableDefinition, column: ColumnDefinition, item: Definition, naming: Naming) {
  const constraint = item.take('constraint') ? (item.identifier() ?? '') : undefined;
  const columns = [column.name];
  if (item.take('not', 'null')) column.isNullable = false;
  else if (item.take('primary', 'key'))
    addUniqueKey(table, { name: constraint ?? '', columns, isPrimary: true, isExpression: false });
  else if (item.take('unique'))
    addUniqueKey(table, { name: constraint ?? '', columns, isPrimary: false, isExpression: false });
  else if (item.take('references')) addForeignKey(table, constraint, columns, item, naming);
  else if (item.take('check')) addListedValues(table, item);
  else if (item.take('generated')) {
    const isIdentity = item.skipTo('identity', '(') && item.is('identity');
    if (isIdentity) column.isNullable = false;
    else column.isGenerated = true;
  } else if (item.is('(')) item.group();
  else item.at++;
}

/** Reads a constraint of a table, with its name where it has one. */
export function readConstraint(table: TableDefinition, item: Definition, naming: Naming): void {
  const name = item.take('constraint') ? (item.identifier() ?? '') : '';
  if (item.take('primary', 'key')) readUniqueKey(table, item, name, true);
  else if (item.take('unique')) readUniqueKey(table, item, name, false);
  else if (item.take('exclude')) {
    item.skipTo('(');
    addUniqueKey(table, { name, isPrimary: false, ...readElements(table, item) });
  } else if (item.take('foreign', 'key')) {
    const columns = item.names();
    if (!item.take('references')) throw unreadable(`table "${table.name}" has a foreign key that is not understood`);
    addForeignKey(table, name, columns, item, naming);
  } else if (item.take('check')) addListedValues(table, item);
  else if (item.take('not', 'null')) notNull(table, [item.identifier() ?? '']);
  else throw unreadable(`table "${table.name}" has a constraint of an unknown kind`);
}

function readUniqueKey(table: TableDefinition, item: Definition, name: string, isPrimary: boolean): void {
  if (item.take('using', 'index')) {
    const index = item.identifier() ?? '';
    const found = table.uniqueKeys.find((key) => key.name === index);
    if (found === undefined) throw unreadable(`table "${table.name}" has a key over an index that is not there`);
    table.uniqueKeys.splice(table.uniqueKeys.indexOf(found), 1);
    addUniqueKey(table, { ...found, name: name || index, isPrimary });
    return;
  }
  if (item.take('nulls')) item.skipTo('(');
  addUniqueKey(table, { name, columns: item.names(), isPrimary, isExpression: false });
}

/** The columns that the elements of an index are or read. */
export function readElements(table: TableDefinition, item: Definition): { columns: string[]; isExpression: boolean } {
  const known = new Set(table.columns.map(({ name }) => name));
  const columns = new Set<string>();
  let isExpression = false;
  for (const element of item.list()) {
    const [first, second] = element.tokens;
    const name = identifierOf(first);
    const isColumn = name !== undefined && second?.text !== '(' && second?.text !== '.' && known.has(decoded(name));
    if (isColumn) {
      columns.add(decoded(name));
      continue;
    }
    isExpression = true;
    for (const token of element.tokens) {
      const inner = identifierOf(token);
      if (inner !== undefined && known.has(decoded(inner))) columns.add(decoded(inner));
    }
  }
  return { columns: [...columns], isExpression };
}

export function addUniqueKey(table: TableDefinition, key: UniqueKey): void {
  if (key.isPrimary) {
    table.uniqueKeys.unshift(key);
    notNull(table, key.columns);
  } else table.uniqueKeys.push(key);
}

export function notNull(table: TableDefinition, columns: readonly string[]): void {
  for (const column of table.columns) if (columns.includes(column.name)) column.isNullable = false;
}

function addForeignKey(
  table: TableDefinition,
  name: string | undefined,
  columns: string[],
  item: Definition,
  naming: Naming,
): void {
  const target = item.name();
  if (target === undefined) throw unreadable(`table "${table.name}" has a foreign key that is not understood`);
  const targetColumns = item.is('(') ? item.names() : [];
  table.foreignKeys.push({ name: name ?? '', columns, target: naming(target), targetColumns });
}

function addListedValues(table: TableDefinition, item: Definition): void {
  const listed = listedValues(item.group());
  if (listed !== undefined) table.listed.set(listed.column, listed.values);
}
