/** Which rows of each table a reduced variant has, and which references it cuts. Shared memory: each worker thread reads the same. */
export interface RowSelection {
  tables: Readonly<Record<string, TableSelection>>;
}

export interface TableSelection {
  /** Rows that the content has of the table. Their ordinals count from 0 in the order in which they stand there. */
  rows: number;
  /** One bit for each row, that of ordinal n is bit n & 7 of byte n >> 3. */
  kept: Uint8Array<SharedArrayBuffer>;
  /** Columns that become NULL in the rows whose bit is set. */
  cut: readonly { columns: readonly string[]; rows: Uint8Array<SharedArrayBuffer> }[];
}
