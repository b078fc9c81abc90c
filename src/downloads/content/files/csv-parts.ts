import { HoldfastError } from '../../../core/errors.ts';
import type { ContentPart } from '../../masking/masking-pool.ts';
import type { RowSource } from '../../masking/row-format.ts';
import type { FilePlan } from '../../variant-plan.ts';
import { markLength, readPlannedHeader } from './csv-header.ts';
import type { CsvRowsOptions } from './csv-rows.ts';
import type { CsvSyntax } from './csv-syntax.ts';
import { recordBlocks } from './record-blocks.ts';

/** How a policy has CSV files. */
export type CsvPlan = NonNullable<FilePlan['csv']>;

/**
 * A CSV file as the parts that a masking pool takes: its byte order mark and header as they are, then blocks of rows. A file without a byte has neither.
 * @param sourceOf gives the same object for the same columns in the same order
 * @throws HoldfastError `variant-failed` (invalid)
 */
export async function* csvParts(
  bytes: AsyncIterable<Uint8Array>,
  plan: CsvPlan,
  sourceOf: (columns: readonly string[]) => RowSource,
): AsyncGenerator<ContentPart> {
  const syntax = { delimiter: plan.delimiter, quote: plan.quote };
  const planned = plan.table.columns.map(({ column }) => column);
  let rows: RowSource | undefined;
  for await (const block of recordBlocks(bytes, quoteByte(plan))) {
    if (rows !== undefined) {
      yield { rows, bytes: block };
      continue;
    }
    const { columns, length } = plan.hasHeader
      ? readPlannedHeader(block, syntax, planned)
      : { columns: planned, length: markLength(block) };
    rows = sourceOf(columns);
    if (length > 0) yield block.subarray(0, length);
    if (length < block.length) yield { rows, bytes: block.subarray(length) };
  }
}

/** Plain data, which a thread is told once. */
export function csvRows(plan: CsvPlan, columns: readonly string[]): RowSource {
  const options: CsvRowsOptions = { delimiter: plan.delimiter, quote: plan.quote };
  return { table: plan.table.table, columns, format: 'csv', options };
}

/** @throws HoldfastError `variant-failed` (invalid) */
export function quoteByte({ delimiter, quote }: CsvSyntax): number {
  const code = quote.charCodeAt(0);
  const isFit = (text: string) => text.length === 1 && !/[\r\n\ud800-\udfff]/.test(text);
  if (isFit(quote) && isFit(delimiter) && code < 0x80 && quote !== delimiter) return code;
  throw new HoldfastError(
    'invalid',
    'variant-failed',
    'Its quote must be one ASCII character, its delimiter another one, and none of them a line break.',
  );
}
