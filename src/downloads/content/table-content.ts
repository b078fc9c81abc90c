import type { SourceArchive } from '../../core/ports/service-download.ts';
import type { MaskingRun } from '../masking/masking-run.ts';
import type { ContentSchema } from './content-schema.ts';
import type { RowPlaces } from './row-places.ts';

/** The code of the error of an archive in which no rows can be found for certain. */
export const ARCHIVE_NOT_UNDERSTOOD = 'archive-not-understood';

/** Reads and rewrites the rows of one kind of content: PostgreSQL's and MySQL's dumps, SQLite databases. One folder under `downloads/content/`. */
export interface TableContent {
  /**
   * Reads what tables there are. Reads to the end: constraints stand behind the rows.
   * @throws HoldfastError `variant-content-unreadable` (unsupported) naming a kind of statement that no policy can speak of
   */
  schema(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ContentSchema>;
  /** Visits the rows in their order. The memory of a piece is not used any more when the next one is asked for. */
  scan(bytes: AsyncIterable<Uint8Array>, scan: RowScan, signal: AbortSignal): Promise<void>;
  /**
   * The content with its rows masked and selected, and what belongs to a table that the plan drops left out. Where nothing is masked, selected or dropped, the bytes are those of
   * the source; SQLite databases are written anew all the same, without the remains of deleted rows. What is given is the same whatever the sizes of the pieces that come in.
   * @throws HoldfastError `variant-failed` (invalid) naming table, column and rule, never a value, where the rows are not those that the plan is made for
   */
  rewrite(bytes: AsyncIterable<Uint8Array>, run: MaskingRun): AsyncIterable<Uint8Array>;
  /**
   * As `scan`, of the archive that the content is made of; its pieces are written to.
   * @throws HoldfastError `archive-not-understood` (unsupported): what was shown counts for nothing, and `scan` reads the content
   */
  scanArchive?(archive: AsyncIterable<Uint8Array>, scan: ArchiveScan, signal: AbortSignal): Promise<void>;
  /**
   * As `rewrite`, the very same bytes. Rows that are not selected are left out of the archive, before SQL is made of it.
   * @param places as `scanArchive` told them of the same archive: most of what is not wanted is not even read
   */
  rewriteArchive?(archive: SourceArchive, run: MaskingRun, places?: RowPlaces): AsyncIterable<Uint8Array>;
}

export interface RowScan {
  /** The columns whose values are wanted, by their index in `columns`; undefined: its rows are only counted. `columns`: those that the rows have, in their order. */
  begin(table: string, columns: readonly string[]): readonly number[] | undefined;
  /** Instead of `row`, where a content can tell fields without making values of them. */
  fields?(table: string, ordinal: number, fields: RowFields): void;
  /** `values` is used again for the next row; it holds the wanted columns in the order in which `begin` named them. */
  row(table: string, ordinal: number, values: readonly (string | null)[]): void;
  /** After its last row. A table's rows may come in several runs; ordinals go on. */
  end?(table: string, rows: number): void;
}

export interface ArchiveScan extends Required<RowScan> {
  /** After the last row of all. */
  places?(places: RowPlaces): void;
}

/** The wanted fields of the row at hand, in the order in which `begin` named them. */
export interface RowFields {
  /** The number that a field of at most fifteen digits is; undefined for whatever else it holds. */
  integer(index: number): number | undefined;
  value(index: number): string | null;
}
