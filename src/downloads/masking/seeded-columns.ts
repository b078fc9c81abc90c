import { type ColumnPlan, KEEP, type Rule, type TablePlan } from '../variant-plan.ts';
import { columnFacts } from './column-facts.ts';
import { transformerOf } from './inner-rules.ts';
import { SeededColumn } from './seeded-column.ts';
import type { ColumnFacts } from './transformer.ts';
import { domainKey } from './variant-keys.ts';

/**
 * Those columns of a table whose rules can be applied to many values at a time, with the same outputs as `RowMasker` gives: pseudonyms decide all, nothing else reads
 * what comes out, and nothing must be held against the column that is not sure before.
 * @param columns names of the columns that the rows have, in their order
 * @param key of the variant: `MaskingRun.key`
 * @param excluded indexes of columns that must be left out
 * @param allowsQuotes whether quotes stand as they are in the notation of the rows
 */
export function seededColumns(
  plan: TablePlan,
  columns: readonly string[],
  key: Uint8Array,
  excluded: ReadonlySet<number>,
  allowsQuotes = false,
): SeededColumn[] {
  const planned = new Map(plan.columns.map((column) => [column.column, column]));
  const readAsMasked = new Set(
    plan.columns.flatMap((column) =>
      column.rule.transformer === KEEP
        ? []
        : (transformerOf(column.rule).facts(column.rule.options, columnFacts(column)).reads?.masked ?? []),
    ),
  );
  return columns.flatMap((name, index) => {
    const column = planned.get(name);
    if (column === undefined || excluded.has(index) || readAsMasked.has(name)) return [];
    const seeded = seededColumn(column, index, key, allowsQuotes);
    return seeded === undefined ? [] : [seeded];
  });
}

function seededColumn(
  column: ColumnPlan,
  index: number,
  key: Uint8Array,
  allowsQuotes: boolean,
): SeededColumn | undefined {
  const { rule, maxLength, allowedValues } = column;
  if (rule.transformer === KEEP || allowedValues !== undefined) return undefined;
  const transformer = transformerOf(rule);
  const facts = columnFacts(column);
  const output = transformer.seeded?.(rule.options, facts);
  if (output?.isPlain !== true || (output.hasQuotes && !allowsQuotes)) return undefined;
  const fits = maxLength === undefined || isNeverLonger(maxLength, rule, facts);
  return fits ? new SeededColumn(index, output, domainKey(key, rule.domain), rule.normalise) : undefined;
}

/** Whether no output can have more characters. A normalised value may have more than the column holds ("İ" in small letters has two): what goes by its length is then not sure. */
function isNeverLonger(maxLength: number, rule: Rule, facts: ColumnFacts): boolean {
  const { maxLength: _, ...ofAnyLength } = facts;
  const isNormalised = rule.normalise.length > 0;
  const longest = transformerOf(rule).facts(rule.options, isNormalised ? ofAnyLength : facts).maxLength;
  return longest === 'same' ? !isNormalised : longest !== undefined && longest <= maxLength;
}
