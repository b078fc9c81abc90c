import { nearestName } from '../../core/nearest-name.ts';
import type { ColumnSchema, ContentSchema, ForeignKey, TableSchema } from '../content/content-schema.ts';

/** A difference between two schemas that a policy's writer should look at. */
export interface SchemaDrift {
  kind: SchemaDriftKind;
  table: string;
  column?: string;
  message: string;
}

export type SchemaDriftKind =
  | 'table-added'
  | 'table-removed'
  | 'partition-added'
  | 'partition-removed'
  | 'column-added'
  | 'column-removed'
  | 'column-renamed'
  | 'type-changed'
  | 'nullability-changed'
  | 'values-changed'
  | 'generation-changed'
  | 'unique-key-added'
  | 'unique-key-removed'
  | 'foreign-key-added'
  | 'foreign-key-removed'
  | 'foreign-key-retargeted';

/** What became of a schema. In the order of the tables, those that are gone last. */
export function schemaDrift(before: ContentSchema, after: ContentSchema): SchemaDrift[] {
  const earlier = new Map(before.tables.map((table) => [table.name, table]));
  const names = new Set(after.tables.map(({ name }) => name));
  return [
    ...after.tables.flatMap((table) => {
      const old = earlier.get(table.name);
      return old === undefined ? [addedTable(table)] : [...tableDrift(old, table)];
    }),
    ...before.tables.filter(({ name }) => !names.has(name)).map(removedTable),
  ];
}

function addedTable({ name, parent }: TableSchema): SchemaDrift {
  if (parent === undefined) return { kind: 'table-added', table: name, message: `The table ${name} is new.` };
  return { kind: 'partition-added', table: name, message: `The table ${name} is new, as a part of ${parent}.` };
}

function removedTable({ name, parent }: TableSchema): SchemaDrift {
  const kind = parent === undefined ? 'table-removed' : 'partition-removed';
  return { kind, table: name, message: `The table ${name} is gone.` };
}

function* tableDrift(before: TableSchema, after: TableSchema): Generator<SchemaDrift> {
  const table = after.name;
  const earlier = new Map(before.columns.map((column) => [column.name, column]));
  const now = new Set(after.columns.map(({ name }) => name));
  const gone = before.columns.filter(({ name }) => !now.has(name));
  for (const column of after.columns) {
    const old = earlier.get(column.name);
    if (old !== undefined) yield* columnDrift(table, old, column);
    else {
      const renamed = formerName(column, gone);
      yield renamed === undefined
        ? { kind: 'column-added', table, column: column.name, message: `The column ${table}.${column.name} is new.` }
        : {
            kind: 'column-renamed',
            table,
            column: column.name,
            message: `The column ${table}.${column.name} is new, and seems to be what was called ${renamed}.`,
          };
    }
  }
  for (const { name } of gone)
    yield { kind: 'column-removed', table, column: name, message: `The column ${table}.${name} is gone.` };
  yield* keyDrift(before, after);
}

/** Of the columns that are gone, one of the same type: the only one, or the one of the likest name. */
function formerName(column: ColumnSchema, gone: readonly ColumnSchema[]): string | undefined {
  const alike = gone.filter(({ type }) => type === column.type).map(({ name }) => name);
  return alike.length === 1 ? alike[0] : nearestName(column.name, alike);
}

function* columnDrift(table: string, before: ColumnSchema, after: ColumnSchema): Generator<SchemaDrift> {
  const column = after.name;
  const drift = (kind: SchemaDriftKind, what: string): SchemaDrift => ({
    kind,
    table,
    column,
    message: `The column ${table}.${column} ${what}.`,
  });
  if (before.type !== after.type) yield drift('type-changed', `was \`${before.type}\` and is \`${after.type}\``);
  if (before.isNullable !== after.isNullable)
    yield drift('nullability-changed', after.isNullable ? 'may be NULL now' : 'must not be NULL any more');
  if (before.isGenerated !== after.isGenerated)
    yield drift('generation-changed', after.isGenerated ? 'is computed now' : 'is not computed any more');
  const old = new Set(before.allowedValues);
  const now = new Set(after.allowedValues);
  const added = [...now].filter((value) => !old.has(value)).length;
  const removed = [...old].filter((value) => !now.has(value)).length;
  if (added + removed > 0) yield drift('values-changed', `has another list of values: ${added} new, ${removed} gone`);
}

function* keyDrift(before: TableSchema, after: TableSchema): Generator<SchemaDrift> {
  const table = after.name;
  const sets = (keys: TableSchema['uniqueKeys']) =>
    new Map(keys.map((key) => [JSON.stringify([key.columns, key.isExpression]), key]));
  const [uniqueBefore, uniqueAfter] = [sets(before.uniqueKeys), sets(after.uniqueKeys)];
  const unique = (kind: SchemaDriftKind, columns: readonly string[], what: string): SchemaDrift => ({
    kind,
    table,
    ...(columns[0] === undefined ? {} : { column: columns[0] }),
    message: `${table} (${columns.join(', ')}) ${what}.`,
  });
  for (const [id, { columns }] of uniqueAfter)
    if (!uniqueBefore.has(id)) yield unique('unique-key-added', columns, 'must be unique now');
  for (const [id, { columns }] of uniqueBefore)
    if (!uniqueAfter.has(id)) yield unique('unique-key-removed', columns, 'need not be unique any more');
  const from = (keys: readonly ForeignKey[]) => new Map(keys.map((key) => [JSON.stringify(key.columns), key]));
  const [foreignBefore, foreignAfter] = [from(before.foreignKeys), from(after.foreignKeys)];
  for (const [id, key] of foreignAfter) {
    const old = foreignBefore.get(id);
    if (old === undefined) yield unique('foreign-key-added', key.columns, `refers to ${targetOf(key)} now`);
    else if (targetOf(old) !== targetOf(key))
      yield unique(
        'foreign-key-retargeted',
        key.columns,
        `referred to ${targetOf(old)} and refers to ${targetOf(key)}`,
      );
  }
  for (const [id, key] of foreignBefore)
    if (!foreignAfter.has(id)) yield unique('foreign-key-removed', key.columns, `refers to ${targetOf(key)} no more`);
}

function targetOf({ target, targetColumns }: ForeignKey): string {
  return `${target} (${targetColumns.join(', ')})`;
}
