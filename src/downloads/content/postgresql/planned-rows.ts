import { countsOf, type RowBlockPart } from '../../masking/masking-pool.ts';
import type { MaskingRun, TableCounts } from '../../masking/masking-run.ts';
import type { RowSource } from '../../masking/row-format.ts';
import { KEEP, type TablePlan } from '../../variant-plan.ts';
import type { SiftedRows } from './archive-sieve.ts';
import { ChosenRows } from './chosen-rows.ts';
import { otherRows, variantFailed } from './unreadable.ts';

/** What becomes of the rows of a table. */
export interface RowsFate {
  kind: 'pass' | 'skip' | 'mask';
  counts: TableCounts;
  plan: TablePlan;
}

/** What becomes of the rows of each table, and how many came so far. */
export class PlannedRows {
  /** Whether any row is masked or selected. */
  readonly isMasking: boolean;
  /** Whether the canary looks at rows that no rule changes: for originals of others, and for what detectors find. */
  isLooking: boolean;
  readonly #run: MaskingRun;
  readonly #sifted: SiftedRows;
  readonly #plans: ReadonlyMap<string, TablePlan>;
  /** Ordinals, where rows are selected: they must be known before the rows are masked. */
  readonly #ordinals = new Map<string, number>();
  /** The same rows have the same source wherever they stand, so that threads need not prepare for them anew. */
  readonly #sources = new Map<string, RowSource>();

  constructor(run: MaskingRun, sifted: SiftedRows) {
    this.#run = run;
    this.#sifted = sifted;
    const tables = run.plan.content.kind === 'tables' ? run.plan.content.tables : [];
    this.#plans = new Map(tables.map((plan) => [plan.table, plan]));
    this.isMasking = tables.some((plan) => this.#fateOf(plan) === 'mask');
    this.isLooking = run.canary !== undefined && (this.isMasking || run.plan.detectors !== 'none');
  }

  /** @throws HoldfastError `variant-failed` where the plan does not name the table, or nobody chose among its rows although rows are selected */
  of(table: string): RowsFate {
    const plan = this.#plans.get(table);
    if (plan === undefined) throw unplanned(table);
    const { selection } = this.#run;
    const isSelected = selection === undefined || Object.hasOwn(selection.tables, table);
    if (plan.fate === 'rows' && !isSelected) throw notSelected(table);
    return { kind: this.#fateOf(plan), counts: countsOf(this.#run, table), plan };
  }

  /** The same object for the same rows. */
  source(source: RowSource): RowSource {
    const key = JSON.stringify(source);
    const known = this.#sources.get(key) ?? source;
    this.#sources.set(key, known);
    return known;
  }

  /** Counts rows that are not masked; the first one's ordinal. */
  count({ kind, counts, plan: { table } }: RowsFate, rows: number): number {
    counts.rowsIn += rows;
    if (kind === 'pass') counts.rowsOut += rows;
    return this.#nextOrdinal(table, rows);
  }

  /** What takes the selected rows out of those of a COPY that begins; undefined where nobody selected rows. */
  chosen(table: string): ChosenRows | undefined {
    const { tables } = this.#run.selection ?? { tables: {} };
    const selected = Object.hasOwn(tables, table) ? tables[table] : undefined;
    const isSifted = this.#sifted(table) !== undefined;
    return selected && new ChosenRows(table, selected, this.#ordinals.get(table) ?? 0, isSifted);
  }

  /** Rows to be masked, which are counted when they are. @param count is asked only where it matters which rows they are */
  block(rows: RowSource, bytes: Uint8Array<ArrayBuffer>, count: () => number): RowBlockPart {
    if (this.#run.selection === undefined) return { rows, bytes };
    return { rows, bytes, firstOrdinal: this.#nextOrdinal(rows.table, count()) };
  }

  /** After the last row. @throws HoldfastError `variant-failed` where there were others than those that were selected of */
  requireSelected(): void {
    for (const [table, { rows }] of Object.entries(this.#run.selection?.tables ?? {}))
      if ((this.#ordinals.get(table) ?? 0) !== rows && this.#plans.get(table)?.fate === 'rows') throw otherRows(table);
  }

  #fateOf(plan: TablePlan): RowsFate['kind'] {
    if (plan.fate !== 'rows') return 'skip';
    const isSelected = Object.hasOwn(this.#run.selection?.tables ?? {}, plan.table);
    return isSelected || plan.columns.some(({ rule }) => rule.transformer !== KEEP) ? 'mask' : 'pass';
  }

  #nextOrdinal(table: string, rows: number): number {
    const first = this.#ordinals.get(table) ?? 0;
    this.#ordinals.set(table, first + rows);
    return first;
  }
}

function unplanned(table: string) {
  return variantFailed(
    `The dump has rows of table "${table}", which the plan does not name. Name the table in the policy, with \`structure\` if its rows are not wanted.`,
    { table },
  );
}

function notSelected(table: string) {
  return variantFailed(
    `The dump has rows of table "${table}", of which none were selected nor left away. If it is partitioned, make the dump without --load-via-partition-root.`,
    { table },
  );
}
