import { isUtf8 } from 'node:buffer';
import { HoldfastError } from '../../../core/errors.ts';
import { CsvFault, CsvRecords, type CsvSyntax } from './csv-syntax.ts';

const BYTE_ORDER_MARK = Buffer.from('\ufeff');

export interface CsvHeader {
  /** In the order in which they stand. */
  columns: readonly string[];
  /** Bytes before the first row. */
  length: number;
}

/** The length of the mark that some programs put before UTF-8. */
export function markLength(block: Buffer): number {
  return block.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
}

/**
 * Reads the line that names the columns, which must be those that the policy names, in any order.
 * @throws HoldfastError `variant-failed` (invalid) naming the columns that are too many or too few
 */
export function readPlannedHeader(block: Buffer, syntax: CsvSyntax, planned: readonly string[]): CsvHeader {
  const header = readHeader(block, syntax);
  demandColumns(header.columns, planned);
  return header;
}

/** Reads the first line. @throws HoldfastError `variant-failed` (invalid) */
export function readHeader(block: Buffer, syntax: CsvSyntax): CsvHeader {
  const mark = markLength(block);
  const text = block.toString('latin1', mark);
  const records = new CsvRecords(text, syntax);
  try {
    records.read();
  } catch (error) {
    throw error instanceof CsvFault ? failed(`Its header is not readable: ${error.message}.`) : error;
  }
  if (!isUtf8(block.subarray(mark, mark + records.end))) throw failed('Its header is not in UTF-8.');
  const columns = Array.from({ length: records.fields }, (_, field) => records.value(field));
  return { columns, length: mark + records.next };
}

/** Whether a line names columns: one of which hardly anything is a name that is known may be a row of data, of which nothing must be told. */
export function looksLikeHeader(columns: readonly string[], planned: readonly string[]): boolean {
  return columns.filter((column) => planned.includes(column)).length * 2 >= columns.length;
}

function demandColumns(columns: readonly string[], planned: readonly string[]): void {
  const present = new Set(columns);
  const wanted = new Set(planned);
  const unknown = [...present].filter((column) => !wanted.has(column));
  const missing = planned.filter((column) => !present.has(column));
  const twice = [...present].filter((column) => columns.indexOf(column) !== columns.lastIndexOf(column));
  if (unknown.length + missing.length + twice.length === 0) return;
  const isHeader = looksLikeHeader(columns, planned);
  const parts = isHeader
    ? [
        unknown.length > 0 && `has ${listed(unknown)}, which the masking policy does not name`,
        missing.length > 0 && `has not ${listed(missing)}, which the masking policy names`,
        twice.length > 0 && `has ${listed(twice)} more than once`,
      ]
    : [
        `has ${columns.length} fields of which most are no columns that the masking policy names (is there a header, and is the delimiter right?)`,
        missing.length > 0 && `has not ${listed(missing)}`,
      ];
  throw failed(`Its first line ${parts.filter((part) => part !== false).join('; it ')}.`, {
    missing,
    ...(isHeader ? { unknown, twice } : {}),
  });
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_SHOWN).map((name) => JSON.stringify(name.slice(0, LONGEST_SHOWN)));
  return shown.join(', ') + (names.length > MOST_SHOWN ? ` and ${names.length - MOST_SHOWN} more` : '');
}

const MOST_SHOWN = 20;
const LONGEST_SHOWN = 100;

function failed(message: string, details: Readonly<Record<string, unknown>> = {}): HoldfastError {
  return new HoldfastError('invalid', 'variant-failed', message, { details });
}
