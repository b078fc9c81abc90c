import type { RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';

/** Rows as COPY writes them, a line each. */
export function createCopyRows(_source: RowSource, _table: TableMasker): RowFormat {
  throw new Error('not yet');
}
