import { nextRow, pastSpace, RowReader, UnreadableRow } from './row-reader.ts';

/** One INSERT of a block: from its header on, the numbers of its rows, and where the next one begins. */
export interface InsertStatement {
  from: number;
  firstRow: number;
  rows: number;
  next: number;
}

/** Where the statements, rows and values of a block of whole INSERT statements are. */
export class InsertBlock {
  statements: InsertStatement[] = [];
  /** Rows of all statements. */
  rows = 0;
  readonly #header: Buffer;
  readonly #wanted: readonly number[];
  readonly #reader: RowReader;
  /** Of each row: where it begins and ends, and its wanted values. */
  #positions = new Int32Array(4096);
  readonly #width: number;

  /** @param wanted indexes of columns whose values are asked for */
  constructor(header: Buffer, columns: number, wanted: readonly number[]) {
    this.#header = header;
    this.#wanted = wanted;
    this.#reader = new RowReader(columns, wanted);
    this.#width = 2 * (1 + wanted.length);
  }

  /** @throws UnreadableRow in the row with the number `rows` */
  read(block: Buffer): void {
    this.statements = [];
    this.rows = 0;
    const header = this.#header;
    for (let from = 0; from < block.length; ) {
      if (header.compare(block, from, from + header.length) !== 0)
        throw new UnreadableRow('its statement begins in another way than those before');
      const firstRow = this.rows;
      let end = from + header.length;
      for (let open = end; open >= 0; open = nextRow(block, end)) end = this.#readRow(block, open);
      // Rows of a long statement come without the semicolon.
      const next = Math.min(block.length, pastSpace(block, pastSpace(block, end) + 1));
      this.statements.push({ from, firstRow, rows: this.rows - firstRow, next });
      from = next;
    }
  }

  /** Where a row's parenthesis stands. */
  rowStart(row: number): number {
    return this.#positions[row * this.#width] as number;
  }

  /** Behind a row. */
  rowEnd(row: number): number {
    return this.#positions[row * this.#width + 1] as number;
  }

  /** Where a value begins, without the space before it. @param place of the column among the wanted ones */
  start(row: number, place: number): number {
    return this.#positions[row * this.#width + 2 + 2 * place] as number;
  }

  /** Where it ends, without the space behind it. */
  end(row: number, place: number): number {
    return this.#positions[row * this.#width + 3 + 2 * place] as number;
  }

  #readRow(block: Buffer, open: number): number {
    const { starts, ends } = this.#reader;
    const end = this.#reader.row(block, open);
    let at = this.rows * this.#width;
    if (at + this.#width > this.#positions.length) {
      const longer = new Int32Array(2 * this.#positions.length + this.#width);
      longer.set(this.#positions);
      this.#positions = longer;
    }
    const positions = this.#positions;
    positions[at++] = open;
    positions[at++] = end;
    for (const column of this.#wanted) {
      let [from, to] = [starts[column] as number, ends[column] as number];
      while (from < to && (block[from] as number) <= SPACE) from++;
      while (to > from && (block[to - 1] as number) <= SPACE) to--;
      positions[at++] = from;
      positions[at++] = to;
    }
    this.rows++;
    return end;
  }
}

const SPACE = 0x20;
