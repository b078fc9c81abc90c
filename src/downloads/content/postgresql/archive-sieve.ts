import type { ArchiveBytes } from '../../../core/ports/service-download.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import type { TableSelection } from '../../masking/row-selection.ts';
import type { RowPlaces } from '../row-places.ts';
import { ArchiveBeginning } from './archive-beginning.ts';
import type { ArchiveHead, ArchiveTable } from './archive-head.ts';
import { ArchiveRows, type ArchiveVisitor, LENGTH_BYTES } from './archive-rows.ts';
import { GroupWalk, otherPlaces } from './group-walk.ts';
import { nextChosen } from './next-chosen.ts';
import { wantedGroups } from './wanted-groups.ts';

/** Bytes that are given on at once. */
const PIECE = 64 << 10;
const NO_ROWS: TableSelection = { rows: 0, kept: new Uint8Array(new SharedArrayBuffer(0)), cut: [] };

/** How many rows a table has of which only the chosen ones came; known once the last of these came. Undefined where all come. */
export type SiftedRows = (table: string) => number | undefined;

/**
 * Leaves rows out of an archive that are not chosen, before pg_restore makes SQL of it: that takes several times as long as to read it. What is
 * left is an archive of the same form. One that cannot be read for certain is given as it is. Where it is known where the rows stand, most of the others are
 * not even read.
 */
export class ArchiveSieve {
  /** By table: rows that were in the archive so far. Tables are known before anything of the archive is given on. */
  readonly #rows = new Map<string, number>();
  readonly #selections = new Map<string, TableSelection>();

  readonly #places: RowPlaces | undefined;

  /** @param places of the rows in the archive that is going to be given, as they were found when all of it was read */
  constructor({ plan: { content }, selection }: MaskingRun, places?: RowPlaces) {
    this.#places = places;
    if (content.kind !== 'tables' || selection === undefined) return;
    for (const { table, fate } of content.tables) {
      const chosen = Object.hasOwn(selection.tables, table) ? selection.tables[table] : undefined;
      if (fate !== 'rows') this.#selections.set(table, NO_ROWS);
      else if (chosen !== undefined) this.#selections.set(table, chosen);
    }
  }

  /** Of a run's tables. */
  readonly rows: SiftedRows = (table) => this.#rows.get(table);

  async *sifted(archive: ArchiveBytes): AsyncGenerator<Uint8Array> {
    const places = this.#places;
    if (places !== undefined && places.bytes !== archive.length) throw otherPlaces();
    if (places === undefined) {
      yield* this.#siftedParts(archive.bytes(), undefined);
      return;
    }
    const wanted = wantedGroups(places, this.#selections);
    yield* this.#siftedParts(archive.parts(wanted.bounds), new GroupWalk(places, wanted));
  }

  async *#siftedParts(parts: AsyncIterable<Uint8Array>, walk: GroupWalk | undefined): AsyncGenerator<Uint8Array> {
    const beginning = new ArchiveBeginning();
    let sifting: Sifting | 'not understood' | undefined;
    for await (const piece of parts) {
      const begun = sifting === undefined ? beginning.push(piece) : undefined;
      if (begun !== undefined) {
        sifting = this.#sifting(begun.head, walk);
        yield* passed(sifting, begun.bytes);
      } else if (sifting !== undefined) yield* passed(sifting, piece);
    }
    if (sifting === undefined) {
      // Not even a head: pg_restore says so.
      const begun = beginning.push(Buffer.alloc(0), true);
      sifting = this.#sifting(begun?.head, walk);
      yield* passed(sifting, begun?.bytes ?? Buffer.alloc(0));
    }
    if (sifting !== 'not understood') yield* sifting.finish();
  }

  #sifting(head: ArchiveHead | undefined, walk: GroupWalk | undefined): Sifting | 'not understood' {
    if (head === undefined && walk !== undefined) throw otherPlaces();
    if (head === undefined) return 'not understood';
    for (const { table } of head.tables.values()) if (this.#selections.has(table)) this.#rows.set(table, 0);
    return new Sifting(head, { selections: this.#selections, rows: this.#rows, walk });
  }
}

function passed(sifting: Sifting | 'not understood', piece: Uint8Array): Iterable<Uint8Array> {
  return sifting === 'not understood' ? [piece] : sifting.push(piece);
}

interface SiftingOptions {
  selections: ReadonlyMap<string, TableSelection>;
  /** Is told how many rows each table has of which some are left out. */
  rows: Map<string, number>;
  /** Where some of the rows do not even come. */
  walk: GroupWalk | undefined;
}

/** Gathers what is left. */
class Sifting implements ArchiveVisitor {
  readonly #reader: ArchiveRows;
  readonly #selections: ReadonlyMap<string, TableSelection>;
  readonly #rows: Map<string, number>;
  readonly #walk: GroupWalk | undefined;
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

  constructor(head: ArchiveHead, { selections, rows, walk }: SiftingOptions) {
    this.#reader = new ArchiveRows(head, this);
    this.#selections = selections;
    this.#rows = rows;
    this.#walk = walk;
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
    this.#walk?.finish();
    this.#flush();
    return this.#given.splice(0);
  }

  begin(table: ArchiveTable | undefined): boolean {
    this.#table = table?.table ?? '';
    this.#selection = this.#selections.get(this.#table);
    this.#ordinal = 0;
    this.#next = this.#selection === undefined ? 0 : nextOrNever(this.#selection, 0);
    this.#walk?.begin(table?.table);
    return this.#selection !== NO_ROWS;
  }

  longRow(bytes: number): void {
    this.#walk?.row(bytes);
    this.#ordinal++;
  }

  row(bytes: Buffer, from: number, to: number): void {
    if (this.#walk !== undefined) this.#ordinal = this.#walk.row(to - from + LENGTH_BYTES);
    if (this.#ordinal++ !== this.#next) return;
    this.#next = this.#selection === undefined ? this.#ordinal : nextOrNever(this.#selection, this.#ordinal);
    this.#give(bytes, from - LENGTH_BYTES, to);
  }

  end(): void {
    const rows = this.#walk?.end() ?? this.#ordinal;
    if (this.#selection !== undefined) this.#rows.set(this.#table, rows);
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
