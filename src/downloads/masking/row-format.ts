import type { TableMasker } from './table-masker.ts';

/** Where blocks of rows come from. Plain data: each worker thread is told of it once. */
export interface RowSource {
  /** As `TablePlan.table` says it. */
  table: string;
  /** In the order of the fields of each row. */
  columns: readonly string[];
  /** How the rows are written: the name of a format in `row-formats.ts`. */
  format: string;
  /** Blocks go on where the last one ended: one format reads all of them. */
  isOneText?: boolean;
  /** What the format must know besides; plain data. */
  options?: Readonly<Record<string, unknown>>;
}

/** Reads and writes rows of one table in a worker thread. */
export interface RowFormat {
  /**
   * Masks a block of whole rows. What it gives for a row must not depend on where blocks are cut.
   * @param firstOrdinal of the block's first row within its table; 0 where the table's rows are not selected
   * @throws RowFault where a row is not as it should be
   */
  mask(block: Buffer, firstOrdinal: number): MaskedBlock;
}

export interface MaskedBlock {
  /** Of an ArrayBuffer of their own, which is handed over. */
  bytes: Uint8Array<ArrayBuffer>;
  rowsIn: number;
  rowsOut: number;
}

export type RowFormatMaker = (source: RowSource, table: TableMasker) => RowFormat;
