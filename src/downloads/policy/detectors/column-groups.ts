import type { ColumnSchema, TableSchema } from '../../content/content-schema.ts';
import type { SchemaView } from '../compile/schema-view.ts';
import { type ColumnFinding, findData } from './column-finding.ts';
import type { ColumnSample } from './column-sampler.ts';
import { candidateRules } from './suggested-rule.ts';

/** Samples of columns: by the table's name, then the column's. */
export type SchemaSamples = ReadonlyMap<string, ReadonlyMap<string, ColumnSample>>;

/** Columns that must have one rule: they refer to each other, or are the same column of a table and its parts. */
export interface ColumnGroup {
  /** The one to which the others refer. */
  leader: { table: TableSchema; column: ColumnSchema };
  finding: ColumnFinding | undefined;
  /** What may be written, the best first, and which of them it is by now. */
  rules: readonly string[];
  chosen: number;
}

/** The columns of a schema, put together by foreign keys and inheritance. */
export class ColumnGroups {
  readonly #groups = new Map<ColumnSchema, ColumnGroup>();

  constructor(view: SchemaView, samples: SchemaSamples) {
    const members = linked(view);
    for (const group of new Set(members.values())) {
      const made = groupOf([...group], view, samples);
      for (const { column } of group) this.#groups.set(column, made);
    }
  }

  of(column: ColumnSchema): ColumnGroup | undefined {
    return this.#groups.get(column);
  }
}

interface Member {
  table: TableSchema;
  column: ColumnSchema;
}

function groupOf(members: readonly Member[], view: SchemaView, samples: SchemaSamples): ColumnGroup {
  const leader = members.find((member) => leadsFrom(member, view).length === 0) ?? (members[0] as Member);
  const { column } = leader;
  if (column.isGenerated) return { leader, finding: undefined, rules: ['generated'], chosen: 0 };
  const ordered = [leader, ...members.filter((member) => member !== leader)];
  const findings = ordered.flatMap((member) => {
    const sample = samples.get(member.table.name)?.get(member.column.name);
    return findData(member.column, member.table.name, sample) ?? [];
  });
  const finding = findings.find(({ kind }) => kind.impact === 'high') ?? findings[0];
  return { leader, finding, rules: candidateRules(column, finding), chosen: 0 };
}

/** Each column with the set of all that it is linked with. */
function linked(view: SchemaView): Map<ColumnSchema, Set<Member>> {
  const sets = new Map<ColumnSchema, Set<Member>>();
  for (const table of view.schema.tables)
    for (const column of table.columns) sets.set(column, new Set([{ table, column }]));
  for (const table of view.schema.tables)
    for (const column of table.columns)
      for (const lead of leadsFrom({ table, column }, view)) join(sets, column, lead.column);
  return sets;
}

/** Always the smaller set into the larger one. */
function join(sets: Map<ColumnSchema, Set<Member>>, one: ColumnSchema, other: ColumnSchema): void {
  const [a, b] = [sets.get(one), sets.get(other)];
  if (a === undefined || b === undefined || a === b) return;
  const [large, small] = a.size >= b.size ? [a, b] : [b, a];
  for (const member of small) {
    large.add(member);
    sets.set(member.column, large);
  }
}

/** Where a column's rule comes from, unless it is generated. */
function leadsFrom({ table, column }: Member, view: SchemaView): Member[] {
  if (column.isGenerated) return [];
  const parents = view.ancestors(table).flatMap((parent) => {
    const same = view.column(parent.name, column.name);
    return same === undefined ? [] : [{ table: parent, column: same }];
  });
  return [...parents, ...view.targetsOf(table, column.name)].filter(
    (lead) => lead.column !== column && !lead.column.isGenerated,
  );
}
