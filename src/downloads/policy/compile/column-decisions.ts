import type { ColumnSchema, TableSchema } from '../../content/content-schema.ts';
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
  /** `undecided`: being decided on, further up. */
  readonly #decisions = new Map<ColumnSchema, ColumnDecision | 'undecided'>();

  constructor(view: SchemaView, covered: ReadonlyMap<string, CoveredTable>, compilation: Compilation) {
    this.#view = view;
    this.#covered = covered;
    this.#compilation = compilation;
  }

  /** Undefined for a column of a table whose rows are not given, or where foreign keys lead in a circle back to it. */
  of(table: TableSchema, column: ColumnSchema): ColumnDecision | undefined {
    const known = this.#decisions.get(column);
    if (known !== undefined) return known === 'undecided' ? undefined : known;
    const covered = this.#covered.get(table.name);
    if (covered?.fate !== 'rows') return undefined;
    this.#decisions.set(column, 'undecided');
    const decision = this.#decide(covered, column);
    this.#decisions.set(column, decision);
    return decision;
  }

  #decide(covered: CoveredTable, column: ColumnSchema): ColumnDecision {
    const { table } = covered;
    const policy = namedColumn(covered, column.name);
    const [target] = this.#view
      .targetsOf(table, column.name)
      .flatMap(({ table: targetTable, column: targetColumn }) => this.of(targetTable, targetColumn) ?? []);
    const facts = factsOf(column, target?.facts);
    const decision = { column, facts, ...(policy === undefined ? {} : { policy }) };
    const place = { table: table.name, column: column.name };
    const rule = policy?.rule ?? this.#ruleOfUnnamed(column, target);
    if (rule === undefined) return { ...decision, isNamed: target?.isNamed === false };
    if (rule === 'as-target') return { ...decision, isNamed: true, ...compiledOf(target?.compiled) };
    return { ...decision, isNamed: true, ...compiledOf(compileRule(rule, facts, place, this.#compilation)) };
  }

  #ruleOfUnnamed(column: ColumnSchema, target: ColumnDecision | undefined): RulePolicy | 'as-target' | undefined {
    if (target?.isNamed) return 'as-target';
    if (this.#compilation.policy.newColumn !== 'null') return undefined;
    return column.isGenerated ? { kind: 'generated' } : { kind: 'transformer', transformer: 'null' };
  }
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

function compiledOf(compiled: CompiledRule | undefined): Pick<ColumnDecision, 'compiled'> {
  return compiled === undefined ? {} : { compiled };
}

function factsOf(column: ColumnSchema, target: ColumnFacts | undefined): ColumnFacts {
  const { family, type, maxLength } = target ?? column;
  const { isNullable, allowedValues } = column;
  return {
    family,
    type,
    isNullable,
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(allowedValues === undefined ? {} : { allowedValues }),
  };
}
