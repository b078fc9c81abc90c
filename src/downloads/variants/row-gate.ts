import { HoldfastError } from '../../core/errors.ts';
import type { MaskingRun } from '../masking/masking-run.ts';
import { countBits } from '../subset/row-bits.ts';
import type { TablePlan, VariantPlan } from '../variant-plan.ts';

/**
 * Whether the rows that came out are those that should have: all of them, or as many as were chosen.
 * @throws HoldfastError `variant-failed` (invalid): it names the table
 */
export function requireRows({ plan, counts, selection }: MaskingRun): void {
  for (const { table, fate } of tablesOf(plan)) {
    const { rowsIn, rowsOut } = counts.tables.get(table) ?? { rowsIn: 0, rowsOut: 0 };
    const chosen = selection === undefined ? undefined : selection.tables[table];
    const wanted = fate !== 'rows' ? 0 : selection === undefined ? rowsIn : countBits(chosen?.kept ?? NO_ROWS);
    if (rowsOut !== wanted) throw failed(table, `${wanted} of its rows should have been given, and ${rowsOut} were`);
    if (chosen !== undefined && fate === 'rows' && chosen.rows !== rowsIn)
      throw failed(table, `it has ${rowsIn} rows, and ${chosen.rows} when its keys were read`);
  }
}

/** Of a table of which nothing was chosen. */
const NO_ROWS = new Uint8Array();

/** CSV files of one pattern are as one table. */
function tablesOf({ content }: VariantPlan): readonly TablePlan[] {
  if (content.kind === 'tables') return content.tables;
  return content.kind === 'files' ? content.files.flatMap(({ csv }) => csv?.table ?? []) : [];
}

function failed(table: string, what: string): HoldfastError {
  const message = `The variant is not given, because its rows do not add up: of table "${table}" ${what}. Tell whoever maintains Holdfast.`;
  return new HoldfastError('invalid', 'variant-failed', message, { details: { table } });
}
