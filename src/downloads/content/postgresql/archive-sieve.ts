import type { MaskingRun } from '../../masking/masking-run.ts';
import type { TableSelection } from '../../masking/row-selection.ts';
import { ArchiveBeginning } from './archive-beginning.ts';
import type { ArchiveHead, ArchiveTable } from './archive-head.ts';
import { ArchiveRows, type ArchiveVisitor, LENGTH_BYTES } from './archive-rows.ts';
import { nextChosen } from './next-chosen.ts';

/** Bytes that are given on at once. */
const PIECE = 64 << 10;
const NO_ROWS: TableSelection = { rows: 0, kept: new Uint8Array(new SharedArrayBuffer(0)), cut: [] };

/** How many rows a table has of which only the chosen ones came; known once the last of these came. Undefined where all come. */
export type SiftedRows = (table: string) => number | undefined;

/**
 * Leaves rows out of an archive that are not chosen, before pg_restore makes SQL of it: that takes several times as long as to read it. What is
 * left is an archive of the same form. One that cannot be read for certain is given as it is.
 */
export class ArchiveSieve {
  /** By table: rows that were in the archive so far. Tables are known before anything of the archive is given on. */
  readonly #rows = new Map<string, number>();
  readonly #selections = new Map<string, TableSelection>();

  constructor({ plan: { content }, selection }: MaskingRun) {
    if (content.kind !== 'tables' || selection === undefined) return;
    for (const { table, fate } of content.tables) {
      const chosen = Object.hasOwn(selection.tables, table) ? selection.tables[table] : undefined;
      if (fate !== 'rows') this.#selections.set(table, NO_ROWS);
      else if (chosen !== undefined) this.#selections.set(table, chosen);
    }
  }

  /** Of a run's tables. */
  readonly rows: SiftedRows = (table) => this.#rows.get(table);

  async *sifted(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const beginning = new ArchiveBeginning();
    let sifting: Sifting | 'not understood' | undefined;
    for await (const piece of archive) {
      const begun = sifting === undefined ? beginning.push(piece) : undefined;
      if (begun !== undefined) {
        sifting = begun.head === undefined ? 'not understood' : this.#sifting(begun.head);
        yield* passed(sifting, begun.bytes);
      } else if (sifting !== undefined) yield* passed(sifting, piece);
    }
    if (sifting === undefined) {
      // Not even a head: pg_restore says so.
      const begun = beginning.push(Buffer.alloc(0), true);
      sifting = begun?.head === undefined ? 'not understood' : this.#sifting(begun.head);
      yield* passed(sifting, begun?.bytes ?? Buffer.alloc(0));
    }
    if (sifting !== 'not understood') yield* sifting.finish();
  }

  #sifting(head: ArchiveHead): Sifting {
    for (const { table } of head.tables.values()) if (this.#selections.has(table)) this.#rows.set(table, 0);
    return new Sifting(head, this.#selections, this.#rows);
  }
}

function passed(sifting: Sifting | 'not understood', piece: Uint8Array): Iterable<Uint8Array> {
  return sifting === 'not understood' ? [piece] : sifting.push(piece);
}

/** Gathers what is left. */
class Sifting implements ArchiveVisitor {
  readonly #reader: ArchiveRows;
  readonly #selections: ReadonlyMap<string, TableSelection>;
  readonly #rows: Map<string, number>;
  /** Of the first piece, bytes that are no data. */
  #head: number;
  readonly #given: Buffer[] = [];
  #table = '';
  #selection: TableSelection | undefined;
  /** Of the next row, and of the next one that is chosen. */
  #ordinal = 0;
  #next = 0;
  #piece = Buffer.allocUnsafeSlow(PIECE);
  #bytes = 0;

  /** @param rows is told how many rows each table has of which some are left out */
  constructor(head: ArchiveHead, selections: ReadonlyMap<string, TableSelection>, rows: Map<string, number>) {
    this.#reader = new ArchiveRows(head, this);
    this.#selections = selections;
    this.#rows = rows;
    this.#head = head.length;
  }

  /** The first piece is one that has all of the head. */
  push(piece: Uint8Array): Buffer[] {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (this.#head > 0) this.#give(bytes, 0, this.#head);
    this.#reader.push(bytes.subarray(this.#head));
    this.#head = 0;
    return this.#given.splice(0);
  }

  finish(): Buffer[] {
    this.#reader.finish();
    this.#flush();
    return this.#given.splice(0);
  }

  begin(table: ArchiveTable | undefined): boolean {
    this.#table = table?.table ?? '';
    this.#selection = this.#selections.get(this.#table);
    this.#ordinal = 0;
    this.#next = this.#selection === undefined ? 0 : nextOrNever(this.#selection, 0);
    return this.#selection !== NO_ROWS;
  }

  longRow(): void {
    this.#ordinal++;
  }

  row(bytes: Buffer, from: number, to: number): void {
    if (this.#ordinal++ !== this.#next) return;
    this.#next = this.#selection === undefined ? this.#ordinal : nextOrNever(this.#selection, this.#ordinal);
    this.#give(bytes, from - LENGTH_BYTES, to);
  }

  end(): void {
    if (this.#selection !== undefined) this.#rows.set(this.#table, this.#ordinal);
  }

  other(bytes: Buffer): void {
    this.#give(bytes, 0, bytes.length);
  }

  #give(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const copied = bytes.copy(this.#piece, this.#bytes, at, to);
      at += copied;
      this.#bytes += copied;
      if (this.#bytes === PIECE) this.#flush();
    }
  }

  #flush(): void {
    this.#given.push(this.#piece.subarray(0, this.#bytes));
    this.#piece = Buffer.allocUnsafeSlow(PIECE);
    this.#bytes = 0;
  }
}

/** Where none is chosen any more, one that no row has: there may be more rows than were chosen of. */
function nextOrNever(selection: TableSelection, row: number): number {
  const next = nextChosen(selection, row);
  return next < selection.rows ? next : -1;
}
