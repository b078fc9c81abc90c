import { choiceInvalid } from '../../../core/download-choice.ts';
import { chooseNeeded, type NeedableDefinition } from '../../../core/needed-definitions.ts';
import { identifierOf } from '../../sql/sql-tokens.ts';
import { tableName } from '../table-name.ts';
import { Definition, decoded } from './definition.ts';
import type { DumpEntries, DumpEntry } from './dump-entries.ts';

/**
 * The entries that make some tables in an empty database, in their order: their own with those of their partitions, keys among them, and the types, functions, sequences and so on that
 * these name. What `pg_restore` is told to give of an archive for the same choice is the same; see `tableLines` of the PostgreSQL service.
 * @param names as `tableName` writes them
 * @throws HoldfastError `download-choice-invalid` (invalid) where something of a chosen table cannot be made without a table or view that is not chosen, or its rows stand among those of others
 */
export async function chosenEntries(
  dump: DumpEntries & { definitions: Buffer },
  names: readonly string[],
): Promise<{ tables: ReadonlySet<string>; entries: readonly DumpEntry[] }> {
  const tables = withPartitions(dump, names);
  requireOwnRows(dump, tables);
  const { entries, owners } = dump;
  const chosen = new Set(entries.filter(({ role }) => isOfChosen(role, tables, owners)));
  const candidates = candidatesOf(dump, chosen, tables);
  await chooseNeeded(chosen, candidates, async (added) => sqlOf(dump.definitions, added));
  const schemas = new Set([...chosen].flatMap(({ role }) => schemasOf(role)));
  for (const entry of entries)
    if (entry.role.kind === 'schema' && entry.role.schema !== 'public' && schemas.has(entry.role.schema))
      chosen.add(entry);
  requireMakeable(dump, chosen);
  return { tables, entries: entries.filter((entry) => chosen.has(entry)) };
}

function withPartitions({ tables }: DumpEntries, names: readonly string[]): ReadonlySet<string> {
  const chosen = new Set(names);
  for (let size = -1; size !== chosen.size; ) {
    size = chosen.size;
    for (const [table, parent] of tables) if (parent !== undefined && chosen.has(parent)) chosen.add(table);
  }
  return chosen;
}

/** With `--load-via-partition-root`, and for some keys without it, pg_dump says of rows only to which partitioned table they belong. */
function requireOwnRows({ entries, tables: parents }: DumpEntries, chosen: ReadonlySet<string>): void {
  const withRows = new Set(entries.flatMap(({ role, rows }) => (rows && role.kind === 'tables' ? role.tables : [])));
  for (const table of chosen) {
    const above = new Set<string>();
    for (let parent = parents.get(table); parent !== undefined && !above.has(parent); parent = parents.get(parent)) {
      if (!chosen.has(parent) && withRows.has(parent)) throw rowsOfAll(table, parent);
      above.add(parent);
    }
  }
}

function isOfChosen(
  role: DumpEntry['role'],
  tables: ReadonlySet<string>,
  owners: ReadonlyMap<string, string>,
): boolean {
  switch (role.kind) {
    case 'setting':
    case 'extension':
      return true;
    case 'tables':
      return role.tables.every((table) => tables.has(table));
    case 'sequence':
      return tables.has(owners.get(role.sequence) ?? '');
    default:
      return false;
  }
}

/** Of tables that are not chosen: what stands under the comment that names the table, and no row. */
function candidatesOf(
  { entries }: DumpEntries,
  chosen: ReadonlySet<DumpEntry>,
  tables: ReadonlySet<string>,
): ReadonlyMap<DumpEntry, NeedableDefinition> {
  const candidates = new Map<DumpEntry, NeedableDefinition>();
  let made: { group: number; table: string | undefined; definition: NeedableDefinition } | undefined;
  for (const entry of entries) {
    const { role, group } = entry;
    if (chosen.has(entry)) continue;
    if (role.kind === 'needable' || role.kind === 'sequence') candidates.set(entry, role.definition);
    if (role.kind !== 'tables' || entry.rows !== undefined) continue;
    const [table, ...others] = role.tables;
    if (role.makes !== undefined) made = { group, table, definition: role.makes };
    const isOfMade = made?.group === group && made.table === table && others.length === 0;
    if (made !== undefined && isOfMade && !tables.has(table ?? '')) candidates.set(entry, made.definition);
  }
  return candidates;
}

function sqlOf(definitions: Buffer, entries: readonly DumpEntry[]): string {
  const statements = entries.filter(({ rows }) => rows === undefined);
  return statements.map(({ at, to }) => definitions.toString('utf8', at, to)).join('\n');
}

function schemasOf(role: DumpEntry['role']): readonly string[] {
  switch (role.kind) {
    case 'extension':
      return role.schema === undefined ? [] : [role.schema];
    case 'tables':
      return role.makes === undefined ? [] : [role.makes.schema];
    case 'sequence':
    case 'needable':
      return [role.definition.schema];
    default:
      return [];
  }
}

/** A part that would fail while it is loaded is refused before its first byte. Strings and bodies of functions are none of a statement's names. */
function requireMakeable(
  { entries, tables, views, definitions }: Parameters<typeof chosenEntries>[0],
  chosen: ReadonlySet<DumpEntry>,
) {
  const made = new Set([...chosen].flatMap(({ role }) => (role.kind === 'tables' ? role.tables : [])));
  for (const { at, to, role, rows } of entries.filter((entry) => chosen.has(entry))) {
    if (role.kind === 'setting' || rows !== undefined) continue;
    for (const name of namesOf(definitions.subarray(at, to))) {
      if (made.has(name) || !(tables.has(name) || views.has(name))) continue;
      throw needsMore(name, role, views.has(name));
    }
  }
}

/** Each `schema.name` of a statement. */
function* namesOf(statement: Buffer): Generator<string> {
  const { tokens } = Definition.of(statement);
  for (const [index, token] of tokens.entries()) {
    if (tokens[index + 1]?.text !== '.' || tokens[index - 1]?.text === '.') continue;
    const [schema, name] = [identifierOf(token), identifierOf(tokens[index + 2])];
    if (schema !== undefined && name !== undefined) yield tableName([decoded(schema), decoded(name)]);
  }
}

function rowsOfAll(partition: string, table: string) {
  const message = `The rows of the partition ${partition} stand in this copy among all those of ${table}. Choose ${table}.`;
  return choiceInvalid(message, { needed: [table] });
}

function needsMore(name: string, role: DumpEntry['role'], isView: boolean) {
  const needing = role.kind === 'tables' ? `of ${role.tables.join(', ')}` : 'that the chosen tables need';
  const advice = isView ? 'Views are in no part: ask for the whole variant.' : 'Choose that table too.';
  return choiceInvalid(
    `A definition ${needing} (a policy, rule, trigger, function or column) names ${name}, without which it cannot be made. ${advice}`,
    { needed: [name] },
  );
}
