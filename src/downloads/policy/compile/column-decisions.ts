import type { ColumnSchema, TableSchema } from '../../content/content-schema.ts';
import { columnFacts } from '../../masking/column-facts.ts';
import type { ColumnFacts } from '../../masking/transformer.ts';
import { KEEP } from '../../variant-plan.ts';
import { canonicalJson } from '../canonical-policy.ts';
import type { ColumnPolicy, RulePolicy } from '../masking-policy.ts';
import type { Compilation } from './compilation.ts';
import { type CompiledRule, compileRule } from './compile-rule.ts';
import type { SchemaView } from './schema-view.ts';
import { type CoveredTable, namedColumn } from './table-coverage.ts';

/** What becomes of one column. */
export interface ColumnDecision {
  column: ColumnSchema;
  /** What the rule was compiled for: those of the column that a foreign key leads to, where there is one. */
  facts: ColumnFacts;
  policy?: ColumnPolicy;
  /** Undefined where there is none, or it cannot be done. */
  compiled?: CompiledRule;
  /** False where nothing says what is done to it. */
  isNamed: boolean;
}

/** Decides on columns, each once. A column of a foreign key takes the rule of the column that it leads to, unless it has one of its own. */
export class ColumnDecisions {
  readonly #view: SchemaView;
  readonly #covered: ReadonlyMap<string, CoveredTable>;
  readonly #compilation: Compilation;
  readonly #decisions = new Map<ColumnSchema, ColumnDecision>();

  constructor(view: SchemaView, covered: ReadonlyMap<string, CoveredTable>, compilation: Compilation) {
    this.#view = view;
    this.#covered = covered;
    this.#compilation = compilation;
  }

  /** Undefined for a column of a table whose rows are not given. */
  of(table: TableSchema, column: ColumnSchema): ColumnDecision | undefined {
    const known = this.#decisions.get(column);
    if (known !== undefined) return known;
    const covered = this.#covered.get(table.name);
    if (covered?.fate !== 'rows') return undefined;
    const decision = this.#decide(covered, column);
    this.#decisions.set(column, decision);
    return decision;
  }

  #decide(covered: CoveredTable, column: ColumnSchema): ColumnDecision {
    const { table } = covered;
    const policy = namedColumn(covered, column.name);
    const facts = factsOf(column, this.#origin({ table, column }));
    const decision = { column, facts, ...(policy === undefined ? {} : { policy }) };
    const inherited = policy === undefined ? this.#inheritedRule({ table, column }) : undefined;
    const rule = policy?.rule ?? inherited?.rule ?? this.#ruleOfUnnamed(column);
    if (rule === undefined) return { ...decision, isNamed: false };
    const place = { table: table.name, column: column.name };
    // What is wrong with a rule by itself is said where it is written, and once.
    const isWrongThere =
      inherited !== undefined && this.of(inherited.from.table, inherited.from.column)?.compiled === undefined;
    const compilation = isWrongThere ? { ...this.#compilation, problems: [] } : this.#compilation;
    const compiled = compileRule(rule, facts, place, compilation);
    return { ...decision, isNamed: true, ...(compiled === undefined ? {} : { compiled }) };
  }

  /** The rule that is written for a column to which this one leads, the nearest first. */
  #inheritedRule(from: Place): { rule: RulePolicy; from: Place } | undefined {
    const way = [from];
    const seen = new Set([from.column]);
    for (const place of way) {
      for (const { table, column } of this.#targets(place)) {
        if (seen.has(column)) continue;
        seen.add(column);
        way.push({ table, column });
        const covered = this.#covered.get(table.name);
        const rule = covered && namedColumn(covered, column.name)?.rule;
        if (rule !== undefined && rule.kind !== 'generated') return { rule, from: { table, column } };
      }
    }
    return undefined;
  }

  /** The column at the end of the way on which this one leads to others; of a circle, the one that the schema names first. */
  #origin(from: Place): ColumnSchema {
    const way: Place[] = [];
    let at: Place | undefined = from;
    while (at !== undefined && !way.some(({ column }) => column === at?.column)) {
      way.push(at);
      at = this.#targets(at)[0];
    }
    const { tables } = this.#view.schema;
    const circle = at === undefined ? way.slice(-1) : way.slice(way.findIndex(({ column }) => column === at.column));
    const [first] = circle.toSorted(
      (one, other) =>
        tables.indexOf(one.table) - tables.indexOf(other.table) ||
        one.table.columns.indexOf(one.column) - other.table.columns.indexOf(other.column),
    );
    return first?.column ?? from.column;
  }

  #targets({ table, column }: Place): Place[] {
    return this.#view
      .targetsOf(table, column.name)
      .filter((target) => this.#covered.get(target.table.name)?.fate === 'rows');
  }

  #ruleOfUnnamed(column: ColumnSchema): RulePolicy | undefined {
    if (this.#compilation.policy.newColumn !== 'null') return undefined;
    return column.isGenerated ? { kind: 'generated' } : { kind: 'transformer', transformer: 'null' };
  }
}

interface Place {
  table: TableSchema;
  column: ColumnSchema;
}

export function isKept({ compiled }: ColumnDecision): boolean {
  return compiled?.rule.transformer === KEEP;
}

export function givesNull({ compiled }: ColumnDecision): boolean {
  return compiled?.rule.transformer === 'null';
}

export function isSameRule(one: ColumnDecision, other: ColumnDecision): boolean {
  if (one.compiled === undefined || other.compiled === undefined) return true;
  return canonicalJson(one.compiled.rule) === canonicalJson(other.compiled.rule);
}

/** Families and lengths are those of where a foreign key leads. */
function factsOf({ isNullable, allowedValues }: ColumnSchema, { family, type, maxLength }: ColumnSchema): ColumnFacts {
  return columnFacts({ family, type, isNullable, maxLength, allowedValues });
}
