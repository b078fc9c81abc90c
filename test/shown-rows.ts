import type { RowFields, RowScan } from '../src/downloads/content/table-content.ts';

/** Remembers what it was shown of rows. */
export class ShownRows implements Required<RowScan> {
  readonly seen: unknown[] = [];
  readonly #wanted: readonly number[];

  /** @param wanted indexes of columns */
  constructor(wanted: readonly number[] = [2, 0]) {
    this.#wanted = wanted;
  }

  begin(table: string, columns: readonly string[]): readonly number[] {
    this.seen.push(['begin', table, columns]);
    return this.#wanted;
  }

  fields(table: string, ordinal: number, fields: RowFields): void {
    const values = this.#wanted.map((_, index) => [fields.integer(index), fields.value(index)]);
    this.seen.push([table, ordinal, values]);
  }

  row(): void {
    throw new Error('Fields can be told, and row() was called.');
  }

  end(table: string, rows: number): void {
    this.seen.push(['end', table, rows]);
  }
}
