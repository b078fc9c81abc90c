import { ChangedPagesFile } from './changed-pages.ts';
import type { PageTable } from './page-table.ts';

/** Brings a table of pages up to date and writes those that differ into a piece. */
export class PageChanges {
  readonly #path: string;
  readonly #table: PageTable;
  readonly #pageCountBefore: number;
  #smallestPageCount: number;
  #file: ChangedPagesFile | undefined;

  constructor(path: string, table: PageTable) {
    this.#path = path;
    this.#table = table;
    this.#pageCountBefore = table.pageCount;
    this.#smallestPageCount = table.pageCount;
  }

  /** The database had no more than so many pages for a moment. */
  cut(pageCount: number): void {
    if (pageCount >= this.#smallestPageCount) return;
    this.#smallestPageCount = pageCount;
    if (pageCount < this.#table.pageCount) this.#table.resize(pageCount);
  }

  set(page: number, bytes: Uint8Array): void {
    if (this.#table.set(page, bytes)) this.#add(page, bytes);
  }

  /** @returns pages in the piece; 0: nothing changed and there is no piece, unless it was asked for all the same */
  finish({ always = false } = {}): number {
    const { pageCount, firstPage } = this.#table;
    if (this.#file === undefined && pageCount === this.#pageCountBefore && !always) return 0;
    // A copy by SQLite's backup differs in the first page, so that each piece brings it along.
    this.#add(1, firstPage);
    const file = this.#file;
    file?.finish({ pageCount, smallestPageCount: Math.min(this.#smallestPageCount, pageCount) });
    return file?.pages ?? 0;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #add(page: number, bytes: Uint8Array): void {
    this.#file ??= new ChangedPagesFile(this.#path, this.#table.pageSize);
    this.#file.add(page, bytes);
  }
}
