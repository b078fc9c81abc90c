import type { RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';

/** Rows in INSERT statements. */
export function createInsertRows(_source: RowSource, _table: TableMasker): RowFormat {
  throw new Error('not yet');
}
