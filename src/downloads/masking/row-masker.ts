import { HoldfastError } from '../../core/errors.ts';
import { columnsOf, compilePredicate } from '../predicate/compile-predicate.ts';
import { type ColumnPlan, KEEP, type TablePlan } from '../variant-plan.ts';
import type { CanaryProbe } from './canary-probe.ts';
import { columnFacts } from './column-facts.ts';
import { ruleFunction, transformerOf } from './inner-rules.ts';
import type { RowValues, TransformerFacts, ValueFunction } from './transformer.ts';
import { charactersOf } from './transformers/filler.ts';

/** Masks the rows of one table, one after the other. One for each table and thread. */
export class RowMasker {
  /** Indexes of the columns whose values are replaced, in ascending order. */
  readonly changed: readonly number[];
  /** Indexes of the columns whose values must be given: those that are changed and those that rules and conditions read, in ascending order. */
  readonly needed: readonly number[];
  readonly #table: string;
  readonly #rules: readonly ColumnRule[];
  readonly #isExempt: ((values: readonly (string | null)[]) => boolean) | undefined;
  readonly #row: Row;

  /**
   * @param plan of the table
   * @param columns names of the columns that the rows have, in their order; the plan has each of them
   * @param key of the variant: `MaskingRun.key`
   * @param probe told of parts of values (scalars of JSON, elements of arrays) whose rules promise that no original shows up again
   * @param leftOut indexes of columns that something else masks
   * @throws HoldfastError `variant-failed` (invalid) where plan and columns do not go together
   */
  constructor(
    plan: TablePlan,
    columns: readonly string[],
    key: Uint8Array,
    probe?: CanaryProbe,
    leftOut: ReadonlySet<number> = new Set(),
  ) {
    this.#table = plan.table;
    const planned = new Map(plan.columns.map((column) => [column.column, column]));
    const indexOf = (column: string) => {
      const index = columns.indexOf(column);
      if (index < 0) throw this.#failure(column, undefined, 'is read by a rule, and the rows do not have it');
      return index;
    };
    const rules = columns.flatMap((column, index): ColumnRule[] => {
      const columnPlan = planned.get(column);
      if (columnPlan === undefined)
        throw this.#failure(column, undefined, 'is in the rows, and the policy says nothing of it');
      if (columnPlan.rule.transformer === KEEP || leftOut.has(index)) return [];
      return [this.#ruleOf(columnPlan, index, key, indexOf, probe)];
    });
    const { unless } = plan;
    const familyOf = (column: string) => planned.get(column)?.family;
    this.#isExempt = unless && compilePredicate(unless, familyOf, indexOf, { isCautious: true });
    this.changed = rules.map(({ index }) => index);
    this.needed = ascending([
      ...this.changed,
      ...rules.flatMap(({ reads }) => [...reads.originals, ...reads.masked]),
      ...(unless === undefined ? [] : columnsOf(unless).map(indexOf)),
    ]);
    this.#rules = this.#inOrder(rules);
    this.#row = new Row(columns.length);
  }

  /**
   * Replaces the values of `changed`.
   * @param values by the index of the column; those of `needed` are filled, as they are without the content's escapes
   * @returns false for a row that is given as it is (`unless`)
   * @throws HoldfastError `variant-failed` (invalid) naming table, column and rule, never a value; the row is then of no use
   */
  mask(values: (string | null)[]): boolean {
    if (this.#isExempt?.(values)) return false;
    const row = this.#row;
    row.begin(values);
    for (const rule of this.#rules) {
      const value = values[rule.index] ?? null;
      row.set(rule.index, value === null ? null : this.#masked(rule, value));
    }
    for (const { index } of this.#rules) values[index] = row.masked(index);
    return true;
  }

  #masked(rule: ColumnRule, value: string): string | null {
    const masked = this.#transformed(rule, value);
    if (masked === null) {
      if (rule.plan.isNullable) return null;
      throw this.#failure(rule.plan.column, rule, 'gave NULL for a column that takes none');
    }
    if (rule.plan.maxLength !== undefined && masked.length > rule.plan.maxLength) this.#demandFit(rule, masked);
    if (rule.allowed !== undefined && !rule.allowed.has(masked)) {
      throw this.#failure(rule.plan.column, rule, 'gave a value that the column does not allow');
    }
    return masked;
  }

  #transformed(rule: ColumnRule, value: string): string | null {
    try {
      return rule.transform(value, this.#row);
    } catch {
      // What it says may quote the value.
      throw this.#failure(
        rule.plan.column,
        rule,
        'could not be applied to a value: it is not of the form that the rule is for',
      );
    }
  }

  #demandFit({ plan }: ColumnRule, masked: string): void {
    const isBytes = plan.family === 'bytes' && masked.startsWith('\\x');
    const length = isBytes ? (masked.length - 2) / 2 : charactersOf(masked);
    if (length <= (plan.maxLength ?? length)) return;
    throw this.#failure(plan.column, { plan }, 'gave a value that is longer than the column can hold');
  }

  #ruleOf(
    plan: ColumnPlan,
    index: number,
    key: Uint8Array,
    indexOf: (column: string) => number,
    probe?: CanaryProbe,
  ): ColumnRule {
    const column = columnFacts(plan);
    const { reads } = this.#made(plan, () => transformerOf(plan.rule).facts(plan.rule.options, column));
    return {
      index,
      plan,
      reads: indexesOf(reads, indexOf),
      allowed: plan.allowedValues && new Set(plan.allowedValues),
      transform: this.#made(plan, () => ruleFunction(plan.rule, column, key, indexOf, probe)),
    };
  }

  #made<T>(plan: ColumnPlan, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw this.#failure(plan.column, { plan }, 'cannot be applied to a column of this type');
    }
  }

  /** Those first that others read as masked. */
  #inOrder(rules: readonly ColumnRule[]): ColumnRule[] {
    const byIndex = new Map(rules.map((rule) => [rule.index, rule]));
    const ordered = new Set<ColumnRule>();
    const visit = (rule: ColumnRule, path: ReadonlySet<ColumnRule>) => {
      if (ordered.has(rule)) return;
      if (path.has(rule)) throw this.#failure(rule.plan.column, rule, 'reads what is made of its own output');
      for (const index of rule.reads.masked) {
        const read = byIndex.get(index);
        if (read !== undefined) visit(read, new Set([...path, rule]));
      }
      ordered.add(rule);
    };
    for (const rule of rules) visit(rule, new Set());
    return [...ordered];
  }

  #failure(column: string, rule: Pick<ColumnRule, 'plan'> | undefined, what: string): HoldfastError {
    const name = rule?.plan.rule.transformer;
    const message = `${name === undefined ? '' : `Rule ${name} of `}column ${column} of table ${this.#table} ${what}.`;
    return new HoldfastError('invalid', 'variant-failed', message.replace(/^c/, 'C'), {
      details: { table: this.#table, column, ...(name === undefined ? {} : { rule: name }) },
    });
  }
}

interface ColumnRule {
  index: number;
  plan: ColumnPlan;
  reads: { originals: readonly number[]; masked: readonly number[] };
  allowed: ReadonlySet<string> | undefined;
  transform: ValueFunction;
}

/** The row at hand; used again for each. */
class Row implements RowValues {
  #values: readonly (string | null)[] = [];
  readonly #masked: (string | null)[];
  readonly #isMasked: boolean[];

  constructor(columns: number) {
    this.#masked = new Array<string | null>(columns).fill(null);
    this.#isMasked = new Array<boolean>(columns).fill(false);
  }

  begin(values: readonly (string | null)[]): void {
    this.#values = values;
  }

  set(index: number, value: string | null): void {
    this.#masked[index] = value;
    this.#isMasked[index] = true;
  }

  original(index: number): string | null {
    return this.#values[index] ?? null;
  }

  /** A column that is kept is what it was. */
  masked(index: number): string | null {
    return (this.#isMasked[index] ? this.#masked[index] : this.#values[index]) ?? null;
  }
}

function indexesOf(reads: TransformerFacts['reads'], indexOf: (column: string) => number): ColumnRule['reads'] {
  return { originals: (reads?.originals ?? []).map(indexOf), masked: (reads?.masked ?? []).map(indexOf) };
}

function ascending(indexes: readonly number[]): number[] {
  return [...new Set(indexes)].sort((one, other) => one - other);
}
