import { HoldfastError } from '../../core/errors.ts';
import type { StoredDatabase, StoredTable } from './contents.ts';
import { parseTableName, type TableName } from './name-pattern.ts';
import type { RestoreOptions } from './restore-options.ts';

/** What of a database is to be restored. Names are exact here; partitions come with the table that they belong to. */
export interface Selection {
  schemas: readonly string[];
  tables: readonly StoredTable[];
}

/** @throws HoldfastError `postgresql-not-in-backup` (not-found) naming what is missing */
export function selectionOf(
  database: Pick<StoredDatabase, 'name' | 'tables'>,
  options: Pick<RestoreOptions, 'schemas' | 'tables'>,
): Selection | undefined {
  const { schemas = [], tables: named = [] } = options;
  if (schemas.length + named.length === 0) return undefined;
  const names = named.map(parseTableName).filter((name) => name !== undefined);
  const missing = [
    ...schemas.filter((schema) => !database.tables.some((table) => table.schema === schema)),
    ...names.filter((name) => !database.tables.some((table) => isTable(table, name))).map(printedName),
  ];
  if (missing.length > 0) {
    const message = `The backup of "${database.name}" has no tables in or by the name of ${missing.join(', ')}. The file contents.json of the backup lists what it has.`;
    throw new HoldfastError('not-found', 'postgresql-not-in-backup', message, { details: { missing } });
  }
  return { schemas, tables: withPartitions(database, names) };
}

function withPartitions({ tables }: Pick<StoredDatabase, 'tables'>, names: readonly TableName[]): StoredTable[] {
  const chosen = new Set(tables.filter((table) => names.some((name) => isTable(table, name))));
  for (let size = -1; size !== chosen.size; ) {
    size = chosen.size;
    for (const table of tables) {
      const { partitionOf } = table;
      if (partitionOf !== null && [...chosen].some((each) => isTable(each, partitionOf))) chosen.add(table);
    }
  }
  return tables.filter((table) => chosen.has(table));
}

/** The tables that a restore brings. */
export function selectedTables(database: StoredDatabase, selection: Selection | undefined): readonly StoredTable[] {
  if (selection === undefined) return database.tables;
  return database.tables.filter(
    (table) => selection.schemas.includes(table.schema) || selection.tables.includes(table),
  );
}

/** What the target has already, and need not or must not be made. */
export interface TargetNames {
  schemas: ReadonlySet<string>;
  /** `schema.table`, as `printedName` writes it. */
  tables: ReadonlySet<string>;
}

/**
 * Lines of an archive's list that belong to a selection, in their order: pg_restore's own `--table` would leave indexes,
 * keys, defaults and comments away. A line is `id; oid oid KIND schema name owner` with nothing quoted, so each is
 * compared with what the names at hand would give.
 */
export function selectLines(
  list: string,
  selection: Selection,
  target: TargetNames,
): { lines: string[]; skippedKeys: string[] } {
  const lines: string[] = [];
  const skippedKeys: string[] = [];
  const prefixes = selection.tables.map((table) =>
    linePrefixes(table, willBeThere(table.partitionOf, selection, target)).map(inLine),
  );
  const schemasNeeded = new Set([...selection.schemas, ...selection.tables.map(({ schema }) => schema)]);
  for (const line of list.split('\n')) {
    const match = LINE.exec(line);
    const [, kind, rest] = match ?? [];
    if (kind === undefined || rest === undefined) continue;
    const said = `${kind} ${rest}`;
    if (kind === 'FK CONSTRAINT' && !isKeyPossible(rest, selection, target)) {
      if (isChosen(said, rest, selection, prefixes)) skippedKeys.push(rest);
      continue;
    }
    const ofSchema = [...schemasNeeded].some(
      (schema) => !target.schemas.has(schema) && schemaPrefixes(schema).some((prefix) => said.startsWith(prefix)),
    );
    if (ofSchema || isChosen(said, rest, selection, prefixes)) lines.push(line);
  }
  return { lines, skippedKeys };
}

/** In order of length where one kind begins like another. */
const KINDS = `FK CONSTRAINT|CHECK CONSTRAINT|CONSTRAINT|TABLE DATA|TABLE ATTACH|TABLE|INDEX ATTACH|INDEX|SEQUENCE OWNED BY|SEQUENCE SET|SEQUENCE|DEFAULT ACL|DEFAULT|MATERIALIZED VIEW DATA|MATERIALIZED VIEW|VIEW|FUNCTION|PROCEDURE|AGGREGATE|OPERATOR CLASS|OPERATOR FAMILY|OPERATOR|TYPE|SHELL TYPE|DOMAIN|TRIGGER|EVENT TRIGGER|RULE|POLICY|ROW SECURITY|COMMENT|ACL|SECURITY LABEL|SCHEMA|STATISTICS DATA|STATISTICS|COLLATION|CONVERSION|TEXT SEARCH PARSER|TEXT SEARCH DICTIONARY|TEXT SEARCH TEMPLATE|TEXT SEARCH CONFIGURATION|FOREIGN TABLE|PUBLICATION TABLE`;
const LINE = new RegExp(`^\\d+; \\d+ \\d+ (${KINDS}) (.*)$`);

function isChosen(said: string, rest: string, selection: Selection, prefixes: readonly string[][]): boolean {
  if (selection.schemas.some((schema) => rest.startsWith(`${schema} `))) return true;
  return prefixes.some((ofTable) => ofTable.some((prefix) => said.startsWith(prefix)));
}

function schemaPrefixes(schema: string): string[] {
  return [`SCHEMA - ${schema} `, `COMMENT - SCHEMA ${schema} `, `ACL - SCHEMA ${schema} `];
}

/** Where a name has a line end, the list has a space. */
function inLine(names: string): string {
  return names.replaceAll(/[\r\n]/g, ' ');
}

const OF_TABLE =
  `TABLE|TABLE DATA|CONSTRAINT|CHECK CONSTRAINT|FK CONSTRAINT|DEFAULT|TRIGGER|RULE|POLICY|ROW SECURITY`.split('|');

function linePrefixes({ schema, name, indexes, sequences }: StoredTable, isAttached: boolean): string[] {
  const about = ['COMMENT', 'ACL', 'SECURITY LABEL'];
  return [
    ...OF_TABLE.map((kind) => `${kind} ${schema} ${name} `),
    ...about.map((kind) => `${kind} ${schema} TABLE ${name} `),
    ...about.map((kind) => `${kind} ${schema} COLUMN ${name}.`),
    ...['CONSTRAINT', 'TRIGGER', 'POLICY', 'RULE'].map((kind) => `COMMENT ${schema} ${kind} ${name} `),
    ...(isAttached ? [`TABLE ATTACH ${schema} ${name} `] : []),
    ...(isAttached ? indexes.map((index) => `INDEX ATTACH ${schema} ${index} `) : []),
    ...indexes.flatMap((index) => [`INDEX ${schema} ${index} `, `COMMENT ${schema} INDEX ${index} `]),
    ...sequences.flatMap((sequence) => [
      ...['SEQUENCE', 'SEQUENCE OWNED BY', 'SEQUENCE SET'].map((kind) => `${kind} ${schema} ${sequence} `),
      ...about.map((kind) => `${kind} ${schema} SEQUENCE ${sequence} `),
    ]),
  ];
}

/** Whether the table that a foreign key refers to will be there. */
function isKeyPossible(rest: string, selection: Selection, target: TargetNames): boolean {
  for (const table of selection.tables)
    for (const key of table.references) {
      if (!rest.startsWith(inLine(`${table.schema} ${table.name} ${key.constraint} `))) continue;
      return willBeThere(key, selection, target);
    }
  return true;
}

/** Whether a table is among those that are restored, or in the target already. */
function willBeThere(name: TableName | null, { schemas, tables }: Selection, target: TargetNames): boolean {
  if (name === null) return false;
  if (schemas.includes(name.schema) || tables.some((each) => isTable(each, name))) return true;
  return target.tables.has(printedName(name));
}

export function printedName({ schema, table }: TableName): string {
  return `${schema}.${table}`;
}

function isTable(stored: StoredTable, { schema, table }: TableName): boolean {
  return stored.schema === schema && stored.name === table;
}
