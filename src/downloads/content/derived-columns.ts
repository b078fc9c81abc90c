import type { SqlDialect } from '../../core/ports/service-download.ts';
import { sqlExpression } from '../sql/sql-expression.ts';
import { DERIVE, type TablePlan, type VariantPlan } from '../variant-plan.ts';

/** A column that the database fills once the rows of its table are there. */
export interface DerivedColumn {
  column: string;
  /** In SQL, one expression; see `sqlExpression`. */
  expression: string;
}

/**
 * Knows which tables have rows whose derived columns are not filled yet. They are filled before the next statement that holds no rows: what follows the rows in a
 * dump (indexes, constraints, triggers) then finds them filled, and an UPDATE fires no trigger.
 */
export class DerivedColumns {
  readonly #columns: ReadonlyMap<string, readonly DerivedColumn[]>;
  #waiting = new Set<string>();

  constructor({ content }: VariantPlan, dialect: SqlDialect) {
    const tables = content.kind === 'tables' ? content.tables : [];
    const derived = tables.map((table) => [table.table, derivedOf(table, dialect)] as const);
    this.#columns = new Map(derived.filter(([, columns]) => columns.length > 0));
  }

  /** Rows of the table are given. */
  noteRows(table: string): void {
    if (this.#columns.has(table)) this.#waiting.add(table);
  }

  /** The tables that have got rows since it was asked for the last time, in the order of these. */
  due(): readonly { table: string; columns: readonly DerivedColumn[] }[] {
    if (this.#waiting.size === 0) return NONE;
    const due = [...this.#waiting].map((table) => ({ table, columns: this.#columns.get(table) ?? [] }));
    this.#waiting = new Set();
    return due;
  }
}

const NONE: readonly never[] = [];

function derivedOf({ fate, columns }: TablePlan, dialect: SqlDialect): DerivedColumn[] {
  if (fate !== 'rows') return [];
  return columns
    .filter(({ rule }) => rule.transformer === DERIVE)
    .map(({ column, rule }) => ({ column, expression: sqlExpression(String(rule.options.expression), dialect).text }));
}
