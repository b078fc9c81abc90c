import { ROWS_OF_GROUP, type RowPlaces, type TablePlaces } from '../row-places.ts';
import { archiveNotUnderstood } from './unreadable.ts';
import type { WantedGroups } from './wanted-groups.ts';

/** Tells which row each one is that comes, where only wanted groups of rows come; and that they are those that were asked for. */
export class GroupWalk {
  readonly #places: readonly TablePlaces[];
  readonly #wanted: WantedGroups['groups'];
  #tables = 0;
  #table: TablePlaces | undefined;
  #groups: Int32Array | undefined;
  #nextGroup = 0;
  /** Of the next row, and of that with which the next group begins. */
  #ordinal = 0;
  #groupEnd = 0;
  /** Bytes of the current group that did not come yet. */
  #left = 0;

  constructor({ tables }: RowPlaces, { groups }: WantedGroups) {
    this.#places = tables;
    this.#wanted = groups;
  }

  /** @param table undefined: rows of something of which no places are known; all of them come */
  begin(table: string | undefined): void {
    this.#ordinal = 0;
    this.#nextGroup = 0;
    this.#groupEnd = 0;
    this.#left = 0;
    this.#table = table === undefined ? undefined : this.#places[this.#tables];
    this.#groups = table === undefined ? undefined : this.#wanted[this.#tables++];
    if (this.#table?.table !== table) throw otherPlaces();
  }

  /** The ordinal of the next row. @param bytes that it takes, its length among them */
  row(bytes: number): number {
    if (this.#groups !== undefined) {
      if (this.#ordinal === this.#groupEnd) this.#enterGroup(this.#groups);
      this.#left -= bytes;
    }
    return this.#ordinal++;
  }

  /** After the last row: how many the table has. */
  end(): number {
    if (this.#table === undefined) return this.#ordinal;
    const { rows } = this.#table;
    const isWhole =
      this.#groups === undefined
        ? this.#ordinal === rows
        : this.#nextGroup === this.#groups.length && this.#ordinal === this.#groupEnd && this.#left === 0;
    if (!isWhole) throw otherPlaces();
    return rows;
  }

  /** After the last table. */
  finish(): void {
    if (this.#tables < this.#places.length) throw otherPlaces();
  }

  #enterGroup(groups: Int32Array): void {
    const group = groups[this.#nextGroup++];
    const { rows = 0, groups: bytes } = this.#table ?? {};
    if (group === undefined || this.#left !== 0) throw otherPlaces();
    this.#ordinal = group * ROWS_OF_GROUP;
    this.#groupEnd = Math.min(rows, this.#ordinal + ROWS_OF_GROUP);
    this.#left = bytes?.[group] ?? 0;
  }
}

/** The places were found in these very bytes, so that something must be wrong with what reads them. */
export function otherPlaces() {
  return archiveNotUnderstood('Its rows do not stand where they stood when its keys were read.');
}
