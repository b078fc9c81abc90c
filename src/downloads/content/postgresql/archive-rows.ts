import type { ArchiveHead, ArchiveTable } from './archive-head.ts';
import { LONGEST_ROW, tooLong } from './row-blocks.ts';
import { archiveNotUnderstood } from './unreadable.ts';

/** Who is shown what stands behind the head of an archive, in its order. */
export interface ArchiveVisitor {
  /** Rows follow. Undefined: of nothing that is known. @returns whether any of them is wanted */
  begin(table: ArchiveTable | undefined): boolean;
  /** A row with its line end; before it stands its length (`LENGTH_BYTES`). The memory is that of the piece, or of this row alone. */
  row(bytes: Buffer, from: number, to: number): void;
  /** In the place of `row`, of a row that is too long to be held and of a table of which none is wanted. @param bytes it takes, with its length */
  longRow(bytes: number): void;
  /** After the last row of a table, before anything else. */
  end(): void;
  /** All that is no row, its lengths among it. */
  other?(bytes: Buffer): void;
}

/** Of the length before a row: its sign and four bytes. */
export const LENGTH_BYTES = 5;
const NEWLINE = 0x0a;
const [DATA, LARGE_OBJECTS] = [1, 3];
/** What pg_dump writes behind the rows, as one chunk. */
const END_OF_ROWS = Buffer.from('\\.\n\n\n');

type Place = 'block' | 'table' | 'rows' | 'long row' | 'ended' | 'objects' | 'object' | 'chunk';

/**
 * Finds the rows in the blocks of data of an archive that `archiveHead` understands, without looking at what is in them: their lengths
 * tell (`_StartData`, `WriteDataToArchive` and `_StartLO` in PostgreSQL's pg_backup_custom.c).
 */
export class ArchiveRows {
  readonly #tables: ArchiveHead['tables'];
  readonly #visitor: ArchiveVisitor;
  #place: Place = 'block';
  #table: ArchiveTable | undefined;
  #isWanted = true;
  /** The beginning of what did not come whole yet, and how many bytes are needed to go on. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #neededBytes = 0;
  /** Bytes of a long row, or of a chunk of a large object, that are still to come. */
  #left = 0;
  #longRowBytes = 0;
  #isOfObjects = false;

  constructor({ tables }: ArchiveHead, visitor: ArchiveVisitor) {
    this.#tables = tables;
    this.#visitor = visitor;
  }

  /** @throws HoldfastError `archive-not-understood` (unsupported), `variant-failed` (invalid) for a row that is too long */
  push(bytes: Buffer): void {
    let from = this.#begunBytes === 0 ? 0 : this.#continued(bytes);
    while (from < bytes.length) {
      const to = this.#next(bytes, from);
      if (to < 0) {
        this.#begin(bytes.subarray(from));
        return;
      }
      from = to;
    }
  }

  /** @throws HoldfastError `archive-not-understood` (unsupported) where the archive ends in the midst of something */
  finish(): void {
    if (this.#place !== 'block' || this.#begunBytes > 0) throw strange('it ends in the midst of something');
  }

  /** Reads what was begun in earlier pieces; where the next one begins. */
  #continued(bytes: Buffer): number {
    let from = 0;
    while (this.#begunBytes > 0) {
      const part = bytes.subarray(from, from + this.#neededBytes - this.#begunBytes);
      from += part.length;
      this.#begin(part);
      if (this.#begunBytes < this.#neededBytes) return from;
      const whole = Buffer.concat(this.#begun);
      this.#begun = [];
      this.#begunBytes = 0;
      if (this.#next(whole, 0) < 0) this.#begin(whole);
    }
    return from;
  }

  /** Keeps what is not whole: a copy, since the memory of a piece is not its own for long. */
  #begin(bytes: Buffer): void {
    if (this.#begunBytes === 0) this.#neededBytes = this.#needed(bytes);
    this.#begun.push(Buffer.from(bytes));
    this.#begunBytes += bytes.length;
  }

  #needed(begun: Buffer): number {
    if (this.#place !== 'rows' || begun.length < LENGTH_BYTES) return LENGTH_BYTES;
    return LENGTH_BYTES + lengthAt(begun, 0);
  }

  /** Reads what begins at `from`: as many rows as there are, or one thing else. @returns where it ends; -1 where it is not whole */
  #next(bytes: Buffer, from: number): number {
    switch (this.#place) {
      case 'rows':
        return this.#rows(bytes, from);
      case 'block':
        return this.#block(bytes, from);
      case 'chunk':
        return this.#chunk(bytes, from);
      case 'long row':
        return this.#longRow(bytes, from);
      default:
        return this.#number(bytes, from);
    }
  }

  /** The way that nearly all bytes go. */
  #rows(bytes: Buffer, from: number): number {
    const visitor = this.#visitor;
    let at = from;
    for (;;) {
      const start = at + LENGTH_BYTES;
      if (start > bytes.length) break;
      const length = lengthAt(bytes, at);
      const end = start + length;
      if (length === 0 || bytes[end - 1] !== NEWLINE || bytes[start] === END_OF_ROWS[0]) {
        if (length > LONGEST_ROW) {
          if (this.#isWanted) throw tooLong(this.#table?.table ?? '');
          [this.#place, this.#left, this.#longRowBytes] = ['long row', length, LENGTH_BYTES + length];
          return start;
        }
        if (end > bytes.length) break;
        if (length === 0) throw strange('rows have no end');
        if (bytes[end - 1] !== NEWLINE) throw strange('rows are cut otherwise');
        if (length === END_OF_ROWS.length && bytes.subarray(start, end).equals(END_OF_ROWS)) {
          this.#place = 'ended';
          visitor.end();
          visitor.other?.(bytes.subarray(at, end));
          return end;
        }
      }
      if (end > bytes.length) break;
      visitor.row(bytes, start, end);
      at = end;
    }
    return at > from ? at : -1;
  }

  #longRow(bytes: Buffer, from: number): number {
    const to = Math.min(bytes.length, from + this.#left);
    this.#left -= to - from;
    if (this.#left > 0) return to;
    if (bytes[to - 1] !== NEWLINE) throw strange('rows are cut otherwise');
    this.#visitor.longRow(this.#longRowBytes);
    this.#place = 'rows';
    return to;
  }

  #blockEnds(bytes: Buffer, from: number, to: number): number {
    this.#visitor.other?.(bytes.subarray(from, to));
    this.#place = 'block';
    return to;
  }

  #block(bytes: Buffer, from: number): number {
    const kind = bytes[from];
    if (kind !== DATA && kind !== LARGE_OBJECTS) throw strange('a block is of an unknown kind');
    this.#isOfObjects = kind === LARGE_OBJECTS;
    this.#place = 'table';
    this.#visitor.other?.(bytes.subarray(from, from + 1));
    return from + 1;
  }

  #number(bytes: Buffer, from: number): number {
    const to = from + LENGTH_BYTES;
    if (to > bytes.length) return -1;
    const number = bytes.readUInt32LE(from + 1);
    if (this.#place === 'ended') {
      if (number !== 0) throw strange('something follows the end of rows');
      return this.#blockEnds(bytes, from, to);
    }
    this.#visitor.other?.(bytes.subarray(from, to));
    if (this.#place === 'table') this.#begins(number);
    // The number of a large object, of which 0 ends all; the length of a part of one, of which 0 ends it.
    else if (this.#place === 'objects') this.#place = number === 0 ? 'block' : 'object';
    else if (number === 0) this.#place = 'objects';
    else [this.#place, this.#left] = ['chunk', number];
    return to;
  }

  #begins(number: number): void {
    if (this.#isOfObjects) {
      this.#place = 'objects';
      return;
    }
    this.#table = this.#tables.get(number);
    this.#place = 'rows';
    this.#isWanted = this.#visitor.begin(this.#table);
  }

  #chunk(bytes: Buffer, from: number): number {
    const to = Math.min(bytes.length, from + this.#left);
    this.#visitor.other?.(bytes.subarray(from, to));
    this.#left -= to - from;
    if (this.#left === 0) this.#place = 'object';
    return to;
  }
}

/** Of a length at hand whole, which is never negative. */
function lengthAt(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0) throw strange('a row has a negative length');
  const low = (bytes[at + 1] as number) | ((bytes[at + 2] as number) << 8) | ((bytes[at + 3] as number) << 16);
  return low + (bytes[at + 4] as number) * 0x1000000;
}

function strange(what: string) {
  return archiveNotUnderstood(`It is not as pg_dump writes it: ${what}.`);
}
