import type { ColumnSchema, TableSchema } from '../../content/content-schema.ts';
import type { ColumnPolicy, TablePolicy } from '../masking-policy.ts';
import { fitsName } from '../name-pattern.ts';
import type { Compilation } from './compilation.ts';
import type { SchemaView } from './schema-view.ts';

/** What the policy says of one table of the content. */
export interface CoveredTable {
  table: TableSchema;
  fate: TablePolicy['fate'];
  /** Its own entry, then those of the tables that it is a partition of or inherits from. */
  policies: readonly TablePolicy[];
  unless?: TablePolicy['unless'];
}

/** Finds for each table what the policy says of it, and what of the policy speaks of nothing. */
export function coverTables(view: SchemaView, compilation: Compilation): Map<string, CoveredTable> {
  const covered = new Map<string, CoveredTable>();
  for (const table of view.schema.tables) covered.set(table.name, coverTable(table, view, compilation));
  nameAbsentTables(view, compilation);
  for (const { table, fate } of covered.values()) {
    const parent = table.parent === undefined ? undefined : covered.get(table.parent);
    if (fate !== 'drop' && parent?.fate === 'drop')
      compilation.problems.push({
        code: 'parent-dropped',
        table: table.name,
        message: `The table ${table.name} cannot stay where ${parent.table.name}, which it is a part of, is dropped.`,
        suggestion: `Write \`${table.name}: drop\`, or \`${parent.table.name}: structure\`.`,
      });
  }
  return covered;
}

/** What the policy says of a column: the table's own entry before those of its ancestors. */
export function namedColumn({ policies }: CoveredTable, column: string): ColumnPolicy | undefined {
  for (const policy of policies) {
    const named = policy.columns.get(column);
    if (named !== undefined) return named;
  }
  return undefined;
}

function coverTable(table: TableSchema, view: SchemaView, compilation: Compilation): CoveredTable {
  const { policy, problems } = compilation;
  const family = [table, ...view.ancestors(table)];
  const policies = family.flatMap(({ name }) => policy.tables.get(name) ?? []);
  let fate: TablePolicy['fate'] | undefined;
  for (const { name } of family) fate ??= policy.tables.get(name)?.fate ?? fateByPattern(name, table, compilation);
  if (fate === undefined && policy.newTable === 'structure') fate = 'structure';
  if (fate !== undefined && fate !== 'drop' && table.dropOnly !== undefined)
    problems.push({
      code: 'table-only-dropped',
      table: table.name,
      message: `The table ${table.name} can only be dropped: ${table.dropOnly}.`,
      suggestion: `Write \`${table.name}: drop\`.`,
    });
  if (fate !== undefined) {
    const unless = policies.find((each) => each.unless !== undefined)?.unless;
    return { table, fate, policies, ...(fate === 'rows' && unless !== undefined ? { unless } : {}) };
  }
  problems.push({
    code: 'table-not-named',
    table: table.name,
    message: `The table ${table.name} is not named by the policy.`,
    suggestion:
      table.dropOnly === undefined
        ? `Name it under \`tables\` with a rule for each column (${listOf(table.columns)}), or write \`${table.name}: structure\` or \`drop\`.`
        : `Write \`${table.name}: drop\`, since ${table.dropOnly}.`,
  });
  return { table, fate: 'structure', policies: [] };
}

function listOf(columns: readonly ColumnSchema[]): string {
  const names = columns.slice(0, 8).map(({ name }) => name);
  return [...names, ...(columns.length > 8 ? ['…'] : [])].join(', ');
}

/** That of the pattern with the most letters. */
function fateByPattern(
  name: string,
  table: TableSchema,
  { policy, problems }: Compilation,
): 'structure' | 'drop' | undefined {
  let best: { letters: number; fates: Set<'structure' | 'drop'> } | undefined;
  for (const [pattern, fate] of policy.tablePatterns) {
    if (!fitsName(pattern, name)) continue;
    const letters = pattern.replaceAll('*', '').length;
    if (best === undefined || letters > best.letters) best = { letters, fates: new Set([fate]) };
    else if (letters === best.letters) best.fates.add(fate);
  }
  if (best !== undefined && best.fates.size > 1 && name === table.name)
    problems.push({
      code: 'pattern-ambiguous',
      table: name,
      message: `Two patterns of the policy mean the table ${name}, one to give its structure and one to drop it.`,
      suggestion: `Name the table itself: \`${name}: structure\` or \`${name}: drop\`.`,
    });
  return best?.fates.values().next().value;
}

function nameAbsentTables(view: SchemaView, { policy, problems, hints }: Compilation): void {
  const names = view.schema.tables.map(({ name }) => name);
  const unnamed = names.filter((name) => !policy.tables.has(name));
  for (const name of policy.tables.keys()) {
    if (view.table(name) !== undefined) continue;
    const near = ofAnySchema(name, unnamed) ?? hints.nearest(name, unnamed);
    problems.push({
      code: 'table-matches-nothing',
      table: name,
      message: `The policy names the table ${name}, which the content does not have.`,
      suggestion:
        near === undefined
          ? `Take it out of \`tables\`${orNameOneOf(unnamed)}.`
          : `Was it renamed, or did you mean \`${near}\`? Else take it out.`,
    });
  }
  for (const pattern of policy.tablePatterns.keys()) {
    if (names.some((name) => fitsName(pattern, name))) continue;
    problems.push({
      code: 'table-matches-nothing',
      table: pattern,
      message: `No table of the content fits the pattern \`${pattern}\`.`,
      suggestion: `Take the pattern out of \`tables\`, or correct it${orNameOneOf(unnamed)}.`,
    });
  }
}

/** A table that is named without its schema. */
function ofAnySchema(name: string, known: readonly string[]): string | undefined {
  const [only, ...others] = known.filter((each) => each.endsWith(`.${name}`));
  return others.length === 0 ? only : undefined;
}

function orNameOneOf(unnamed: readonly string[]): string {
  if (unnamed.length === 0) return '';
  const more = unnamed.length > TABLES_TOLD ? ` and ${unnamed.length - TABLES_TOLD} more` : '';
  return `. Tables that the policy does not name: ${unnamed.slice(0, TABLES_TOLD).join(', ')}${more}`;
}

const TABLES_TOLD = 10;
