import { isUtf8 } from 'node:buffer';
import { RowFault } from '../../masking/row-fault.ts';
import { RowPlacesBuilder } from '../row-places.ts';
import type { ArchiveScan } from '../table-content.ts';
import { ArchiveBeginning } from './archive-beginning.ts';
import { ArchiveFields } from './archive-fields.ts';
import type { ArchiveHead, ArchiveTable } from './archive-head.ts';
import { ArchiveRows, type ArchiveVisitor, LENGTH_BYTES } from './archive-rows.ts';
import { checkEscapedBytes } from './check-escapes.ts';
import { archiveNotUnderstood, rowError } from './unreadable.ts';

/**
 * Shows the rows of an archive to whoever wants to see them, without pg_restore. Encoding and escapes are checked of all rows of tables that are
 * wanted. The memory of pieces is written to.
 * @throws HoldfastError `archive-not-understood` (unsupported); what was shown until then counts for nothing
 */
export async function scanArchive(
  archive: AsyncIterable<Uint8Array>,
  scan: ArchiveScan,
  signal: AbortSignal,
): Promise<void> {
  const beginning = new ArchiveBeginning();
  let rows: ScannedRows | undefined;
  for await (const piece of archive) {
    signal.throwIfAborted();
    if (rows !== undefined) {
      rows.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
      continue;
    }
    const begun = beginning.push(piece);
    if (begun !== undefined) rows = begins(begun, scan);
  }
  rows ??= begins(beginning.push(Buffer.alloc(0), true), scan);
  rows.finish();
}

function begins(begun: ReturnType<ArchiveBeginning['push']>, scan: ArchiveScan): ScannedRows {
  if (begun?.head === undefined) throw archiveNotUnderstood('Its head is not one that is known.');
  const rows = new ScannedRows(begun.head, scan);
  rows.push(begun.bytes.subarray(begun.head.length));
  return rows;
}

const SPACE = 0x20;

class ScannedRows implements ArchiveVisitor {
  readonly #reader: ArchiveRows;
  readonly #scan: ArchiveScan;
  readonly #places: RowPlacesBuilder;
  readonly #counts = new Map<string, number>();
  #table = '';
  #fields: ArchiveFields | undefined;
  #ordinal = 0;
  /** Rows that are to be checked at once, and where they are. */
  #bytes: Buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;
  #first = 0;

  constructor(head: ArchiveHead, scan: ArchiveScan) {
    this.#reader = new ArchiveRows(head, this);
    this.#places = new RowPlacesBuilder(head.length);
    this.#scan = scan;
  }

  push(bytes: Buffer): void {
    this.#reader.push(bytes);
    this.#check();
  }

  finish(): void {
    this.#reader.finish();
    for (const [table, rows] of this.#counts) this.#scan.end(table, rows);
    this.#scan.places?.(this.#places.places());
  }

  begin(table: ArchiveTable | undefined): boolean {
    this.#table = table?.table ?? '';
    this.#ordinal = 0;
    this.#places.begin(table?.table);
    const wanted = table && this.#scan.begin(table.table, table.columns);
    this.#fields = table && wanted && new ArchiveFields(table.columns.length, wanted);
    return this.#fields !== undefined;
  }

  longRow(bytes: number): void {
    this.#check();
    this.#places.longRow(bytes);
    this.#ordinal++;
  }

  row(bytes: Buffer, from: number, to: number): void {
    this.#places.row(to - from + LENGTH_BYTES);
    const ordinal = this.#ordinal++;
    const fields = this.#fields;
    // Whoever gives rows of this table checks them then; as of its SQL they are counted alone.
    if (fields === undefined) return;
    if (bytes !== this.#bytes) {
      this.#check();
      [this.#bytes, this.#from, this.#first] = [bytes, from, ordinal];
    }
    this.#to = to;
    // What stands between rows is made such that the rows can be checked together.
    for (let at = from - LENGTH_BYTES; at < from; at++) bytes[at] = SPACE;
    try {
      fields.find(bytes, from, to);
      this.#scan.fields(this.#table, ordinal, fields);
    } catch (error) {
      throw rowError(error, this.#table, ordinal);
    }
  }

  other(bytes: Buffer): void {
    this.#places.other(bytes.length);
  }

  end(): void {
    this.#check();
    this.#places.end();
    if (this.#table !== '') this.#counts.set(this.#table, this.#ordinal);
  }

  #check(): void {
    if (this.#to === 0) return;
    const rows = this.#bytes.subarray(this.#from, this.#to);
    this.#to = 0;
    this.#bytes = Buffer.alloc(0);
    try {
      if (!isUtf8(rows)) throw new RowFault(0, 'it, or a row soon after it, is not in UTF-8');
      if (rows.includes(0)) throw new RowFault(0, 'it, or a row soon after it, holds the character NUL');
      checkEscapedBytes(rows);
    } catch (error) {
      throw rowError(error, this.#table, this.#first);
    }
  }
}
