import type { TablePlan } from '../../variant-plan.ts';
import type { TableDefinition } from './table-definition.ts';
import { variantFailed } from './unreadable.ts';

/** The columns of rows whose statement names none: all that are not computed. */
export function defaultColumns(table: TableDefinition, withGenerated: boolean): string[] {
  return table.columns.filter(({ isGenerated }) => withGenerated || !isGenerated).map(({ name }) => name);
}

/**
 * The columns of rows whose statement names none.
 * @throws HoldfastError `variant-failed` (invalid) where nobody says which they are
 */
export function unnamedColumns({ table, columns }: TablePlan, defined: string[] | undefined): string[] {
  if (defined !== undefined) return defined;
  if (columns.length === 0) return [];
  const message = `The dump has rows of table "${table}" without a definition of it and without the names of its columns.`;
  throw variantFailed(message, { table });
}

/** Indexes of those columns of rows that the database computes. */
export function generatedAmong(columns: readonly string[], table: TableDefinition | undefined): number[] {
  const generated = new Set(table?.columns.filter(({ isGenerated }) => isGenerated).map(({ name }) => name));
  return columns.flatMap((column, index) => (generated.has(column) ? [index] : []));
}

/**
 * Holds the columns of rows against the definition of their table and against its plan.
 * @throws HoldfastError `variant-failed` (invalid) where they are not the same
 */
export function checkColumns(plan: TablePlan, table: TableDefinition | undefined, columns: readonly string[]): void {
  const planned = new Set(plan.columns.map(({ column }) => column));
  const named = new Set(columns);
  if (named.size !== columns.length) throw other(plan.table, 'name a column twice');
  for (const column of columns)
    if (!planned.has(column)) throw other(plan.table, `have a column "${column}" that the plan does not name`, column);
  const defined = table === undefined || table.isOfRows ? plan.columns.map(({ column }) => column) : undefined;
  const generated = new Set(table?.columns.filter(({ isGenerated }) => isGenerated).map(({ name }) => name));
  const wanted = defined ?? table?.columns.map(({ name }) => name) ?? [];
  for (const column of wanted) {
    if (!planned.has(column)) throw other(plan.table, `have a column "${column}" that the plan does not name`, column);
    if (!named.has(column) && !generated.has(column))
      throw other(plan.table, `are without its column "${column}"`, column);
  }
  if (table !== undefined && !table.isOfRows)
    for (const column of columns)
      if (!wanted.includes(column))
        throw other(plan.table, `have a column "${column}" that its definition has not`, column);
}

function other(table: string, what: string, column?: string) {
  return variantFailed(`The rows of table "${table}" ${what}, so the plan is not made for this content.`, {
    table,
    ...(column === undefined ? {} : { column }),
  });
}
