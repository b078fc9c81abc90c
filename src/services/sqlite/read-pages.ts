import { closeSync, openSync, readSync } from 'node:fs';
import { writeAll } from './changed-pages.ts';
import { lockPageOf } from './page-table.ts';

/** A state of a database, as long as locks keep it from changing. */
export interface PageSource {
  pageSize: number;
  pageCount: number;
  /** Of the database file. */
  descriptor: number;
  /** Gives the pages that are not in the file yet. */
  newer?: (page: number) => Uint8Array | undefined;
}

/** Gives all pages in order; what is behind the file's end, and the page that SQLite's locks lie in, are zeros. */
export function readPages(source: PageSource, take: (page: number, bytes: Uint8Array) => void): void {
  const { pageSize, pageCount, descriptor, newer } = source;
  const lockPage = lockPageOf(pageSize);
  const perBlock = BLOCK_BYTES / pageSize;
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let first = 0; first < pageCount; first += perBlock) {
    const count = Math.min(perBlock, pageCount - first);
    fill(descriptor, block.subarray(0, count * pageSize), first * pageSize);
    for (let at = 0; at < count; at++) {
      const page = first + at + 1;
      const bytes = block.subarray(at * pageSize, (at + 1) * pageSize);
      if (page === lockPage) bytes.fill(0);
      take(page, newer?.(page) ?? bytes);
    }
  }
}

/** Writes a copy of all pages, in order, into a new file. */
export class WholeFile {
  readonly #descriptor: number;
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES);
  #filled = 0;
  #offset = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'w', 0o600);
  }

  add(bytes: Uint8Array): void {
    this.#block.set(bytes, this.#filled);
    this.#filled += bytes.length;
    if (this.#filled === BLOCK_BYTES) this.finish();
  }

  finish(): void {
    writeAll(this.#descriptor, this.#block.subarray(0, this.#filled), this.#offset);
    this.#offset += this.#filled;
    this.#filled = 0;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function fill(descriptor: number, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(descriptor, bytes, done, bytes.length - done, offset + done);
    if (read === 0) {
      bytes.fill(0, done);
      return;
    }
    done += read;
  }
}

/** A multiple of every page size. */
const BLOCK_BYTES = 1024 * 1024;
