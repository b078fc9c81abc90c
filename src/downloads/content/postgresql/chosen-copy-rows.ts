import { RowFault } from '../../masking/row-fault.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';
import { chosenBlock } from './chosen-block.ts';
import { createCopyRows } from './copy-rows.ts';

/** Rows of COPY that were chosen before they came here (`ChosenRows`). Counts those that were not as well. */
export function createChosenCopyRows(source: RowSource, table: TableMasker): RowFormat {
  const chosen = createCopyRows(source, table);
  return {
    mask(block: Buffer, firstOrdinal: number): MaskedBlock {
      const { span, places, rows } = chosenBlock(block);
      table.goesBy(places.map((place) => firstOrdinal + place));
      try {
        const { bytes, rowsOut } = chosen.mask(Buffer.from(rows.buffer, rows.byteOffset, rows.length), 0);
        return { bytes, rowsIn: span, rowsOut };
      } catch (error) {
        if (!(error instanceof RowFault)) throw error;
        throw new RowFault(places[error.row] ?? error.row, error.what, error.cause);
      }
    },
  };
}
