import { isAscii, isUtf8 } from 'node:buffer';
import { RowFault } from '../../masking/row-fault.ts';
import type { MaskedBlock, RowFormat, RowSource } from '../../masking/row-format.ts';
import type { TableMasker } from '../../masking/table-masker.ts';
import { CopyFields } from './copy-fields.ts';
import { copyField } from './copy-text.ts';

/** Rows as COPY writes them in its text format, a line each. What is not changed keeps its bytes. */
export function createCopyRows({ columns }: RowSource, table: TableMasker): RowFormat {
  return new CopyRows(columns.length, table);
}

class CopyRows implements RowFormat {
  readonly #table: TableMasker;
  readonly #fields: CopyFields;
  readonly #values: (string | null)[];
  /** Of the needed columns. */
  readonly #before: (string | null)[] = [];
  /** Positions of the changed columns among the needed ones. */
  readonly #changed: readonly number[];

  constructor(columns: number, table: TableMasker) {
    this.#table = table;
    this.#fields = new CopyFields(columns, table.needed);
    this.#values = new Array<string | null>(columns).fill(null);
    this.#changed = table.changed.map((column) => table.needed.indexOf(column));
  }

  mask(block: Buffer, firstOrdinal: number): MaskedBlock {
    if (!isUtf8(block)) throw new RowFault(0, 'it, or a row soon after it, is not in UTF-8');
    // One character for each byte, so that positions are the same in both.
    const text = block.toString('latin1');
    const { needed, selects } = this.#table;
    const { starts, ends } = this.#fields;
    const values = this.#values;
    const before = this.#before;
    let [out, written, rowsIn, rowsOut] = ['', 0, 0, 0];
    try {
      this.#fields.begin(text, isAscii(block));
      for (let from = 0; from < text.length; rowsIn++) {
        if (selects && !this.#table.isKept(firstOrdinal + rowsIn)) {
          if (written < from) out += text.slice(written, from);
          written = from = this.#fields.past(from, rowsIn);
          continue;
        }
        const next = this.#fields.next(from, rowsIn);
        for (let index = 0; index < needed.length; index++)
          before[index] = values[needed[index] as number] = this.#fields.value(index);
        this.#table.mask(values, firstOrdinal + rowsIn);
        for (const index of this.#changed) {
          const value = values[needed[index] as number] as string | null;
          if (value === before[index]) continue;
          out += text.slice(written, starts[index]) + copyField(value);
          written = ends[index] as number;
        }
        rowsOut++;
        from = next;
      }
    } catch (error) {
      throw error instanceof RowFault
        ? new RowFault(rowsIn, error.what, error.cause)
        : new RowFault(rowsIn, undefined, error);
    }
    return { bytes: latin1(out + text.slice(written)), rowsIn, rowsOut };
  }
}

function latin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.allocUnsafeSlow(text.length);
  bytes.write(text, 'latin1');
  return bytes;
}
