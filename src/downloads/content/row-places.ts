import { GrowingNumbers } from '../subset/growing-numbers.ts';

/** Where the rows stand in an archive, so that those that nobody wants need not be read. It hangs on the content alone. */
export interface RowPlaces {
  /** Of the whole archive. */
  bytes: number;
  /** In their order. */
  tables: readonly TablePlaces[];
}

export interface TablePlaces {
  table: string;
  rows: number;
  /** Bytes from the archive's beginning to its first row, and to what follows the last one. */
  from: number;
  to: number;
  /** For each `ROWS_OF_GROUP` rows, and for the rest of them, the bytes that they take. Undefined: only where all rows are is known. */
  groups: Uint32Array<ArrayBuffer> | undefined;
}

/** Of 16 rows of which one in a hundred is wanted, one in seven is read. */
export const ROWS_OF_GROUP = 16;

/** Is told all that an archive consists of, in its order. */
export class RowPlacesBuilder {
  readonly #tables: TablePlaces[] = [];
  #offset: number;
  #table: string | undefined;
  #from = 0;
  #rows = 0;
  #hasLongRow = false;
  #groupBytes = 0;
  #groups = newGroups();

  /** @param offset bytes before the first thing that is told */
  constructor(offset: number) {
    this.#offset = offset;
  }

  other(bytes: number): void {
    this.#offset += bytes;
  }

  /** @param table undefined: rows follow, of which nothing is to be known */
  begin(table: string | undefined): void {
    this.#table = table;
    this.#from = this.#offset;
    this.#rows = 0;
    this.#hasLongRow = false;
    this.#groupBytes = 0;
  }

  row(bytes: number): void {
    this.#offset += bytes;
    this.#groupBytes += bytes;
    if (++this.#rows % ROWS_OF_GROUP === 0) this.#endGroup();
  }

  /** One that is too long to be held by anybody: whoever reads it reads all of the table. */
  longRow(bytes: number): void {
    this.#offset += bytes;
    this.#rows++;
    this.#hasLongRow = true;
  }

  end(): void {
    if (this.#groupBytes > 0) this.#endGroup();
    const groups = this.#groups.taken();
    const [table, rows, from, to] = [this.#table, this.#rows, this.#from, this.#offset];
    if (table !== undefined)
      this.#tables.push({ table, rows, from, to, groups: this.#hasLongRow ? undefined : groups });
  }

  places(): RowPlaces {
    return { bytes: this.#offset, tables: this.#tables };
  }

  #endGroup(): void {
    this.#groups.push(this.#groupBytes);
    this.#groupBytes = 0;
  }
}

function newGroups(): GrowingNumbers<Uint32Array<ArrayBuffer>> {
  return new GrowingNumbers((length) => new Uint32Array(length));
}
