import { hash } from 'node:crypto';

/** Bytes of a page's hash that are kept: 4 MiB for a database of a GiB with pages of 4 KiB. */
const HASH_BYTES = 16;
/** Where SQLite's locks lie; the page that holds this byte is never used. */
const LOCK_BYTE = 0x40000000;

/**
 * Knows each page of a database by its hash, and the whole by a sum that follows each change of a page: the XOR over all pages of
 * the first 16 bytes of SHA-256(page number, 4 bytes big-endian ‖ page). A page that was never written counts as zeros; the one that
 * SQLite's locks lie in counts as nothing.
 */
export class PageTable {
  readonly pageSize: number;
  readonly #lockPage: number;
  readonly #numbered: Buffer;
  readonly #state = Buffer.alloc(HASH_BYTES);
  #hashes = Buffer.alloc(HASH_BYTES * 1024);
  #pageCount = 0;
  #firstPage = Buffer.alloc(0);

  /** @param pageSize bytes */
  constructor(pageSize: number) {
    this.pageSize = pageSize;
    this.#lockPage = lockPageOf(pageSize);
    this.#numbered = Buffer.alloc(4 + pageSize);
  }

  get pageCount(): number {
    return this.#pageCount;
  }

  /** The first page's bytes. */
  get firstPage(): Buffer {
    return this.#firstPage;
  }

  /** The sum over all pages, hex. Databases of different length may have the same. */
  get state(): string {
    return this.#state.toString('hex');
  }

  /** Takes a page, numbered from 1, as it is now; missing ones before it are zeros. @returns whether it differs */
  set(page: number, bytes: Uint8Array): boolean {
    if (page > this.#pageCount + 1) this.resize(page - 1);
    const isNew = page > this.#pageCount;
    if (isNew) this.#append();
    if (page === this.#lockPage) return false;
    this.#numbered.writeUInt32BE(page, 0);
    this.#numbered.set(bytes, 4);
    const found = hash('sha256', this.#numbered, 'buffer').subarray(0, HASH_BYTES);
    const known = this.#hashOf(page);
    if (!isNew && known.equals(found)) return false;
    this.#toggle(known);
    this.#toggle(found);
    known.set(found);
    if (page === 1) this.#firstPage = Buffer.from(bytes);
    return true;
  }

  /** Cuts off pages at the end, or adds pages of zeros. */
  resize(pageCount: number): void {
    while (this.#pageCount > pageCount) {
      this.#toggle(this.#hashOf(this.#pageCount));
      this.#pageCount--;
    }
    const zeros = Buffer.alloc(this.#pageCount < pageCount ? this.pageSize : 0);
    while (this.#pageCount < pageCount) this.set(this.#pageCount + 1, zeros);
  }

  #append(): void {
    this.#pageCount++;
    if (this.#pageCount * HASH_BYTES > this.#hashes.length) {
      const larger = Buffer.alloc(this.#hashes.length * 2);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashOf(this.#pageCount).fill(0);
  }

  #hashOf(page: number): Buffer {
    return this.#hashes.subarray((page - 1) * HASH_BYTES, page * HASH_BYTES);
  }

  #toggle(hashed: Buffer): void {
    for (let at = 0; at < HASH_BYTES; at++) this.#state[at] = (this.#state[at] ?? 0) ^ (hashed[at] ?? 0);
  }
}

/** The page that SQLite never uses; it exists in databases larger than a GiB. */
export function lockPageOf(pageSize: number): number {
  return LOCK_BYTE / pageSize + 1;
}
