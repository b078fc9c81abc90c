import { closeSync, openSync, writeSync } from 'node:fs';
import { HoldfastError } from '../../core/errors.ts';

/** What a piece of changed pages says of itself before its pages. docs/sqlite.md describes the layout. */
export interface ChangedPagesHeader {
  pageSize: number;
  /** Pages of the database once the piece was applied. */
  pageCount: number;
  /** To how many pages the database is cut before the pages are written; what is beyond them then and is not written, is zeros. */
  smallestPageCount: number;
  /** Pages in the piece. One may be in it more than once; the last one counts. */
  pages: number;
}

const MAGIC = Buffer.from('HFSQLOG1', 'latin1');
export const CHANGED_PAGES_HEADER_BYTES = MAGIC.length + 16;

export function encodeHeader({ pageSize, pageCount, smallestPageCount, pages }: ChangedPagesHeader): Buffer {
  const header = Buffer.alloc(CHANGED_PAGES_HEADER_BYTES);
  header.set(MAGIC);
  [pageSize, pageCount, smallestPageCount, pages].forEach((value, place) => {
    header.writeUInt32BE(value, MAGIC.length + 4 * place);
  });
  return header;
}

/** @throws HoldfastError `log-piece-malformed` (damaged) */
export function decodeHeader(bytes: Buffer): ChangedPagesHeader {
  if (bytes.length < CHANGED_PAGES_HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw malformed('it does not begin as one');
  const [pageSize = 0, pageCount = 0, smallestPageCount = 0, pages = 0] = [0, 4, 8, 12].map((offset) =>
    bytes.readUInt32BE(MAGIC.length + offset),
  );
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0)
    throw malformed(`it has pages of ${pageSize} bytes`);
  if (smallestPageCount > pageCount) throw malformed('its sizes contradict each other');
  return { pageSize, pageCount, smallestPageCount, pages };
}

/** Gives the pages of a piece, in order. A page's bytes are valid until the next one. @throws HoldfastError `log-piece-malformed` (damaged) */
export async function* readChangedPages(
  source: AsyncIterable<Uint8Array>,
  begin: (header: ChangedPagesHeader) => void | Promise<void>,
): AsyncGenerator<{ page: number; bytes: Buffer }> {
  let header: ChangedPagesHeader | undefined;
  let wanted = CHANGED_PAGES_HEADER_BYTES;
  let rest = Buffer.alloc(0);
  let seen = 0;
  for await (const bytes of source) {
    rest = rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes]);
    let at = 0;
    for (; rest.length - at >= wanted; ) {
      const record = rest.subarray(at, at + wanted);
      at += wanted;
      if (header === undefined) {
        header = decodeHeader(record);
        wanted = 4 + header.pageSize;
        await begin(header);
        continue;
      }
      seen++;
      const page = record.readUInt32BE(0);
      if (page === 0) throw malformed('pages are numbered from 1');
      yield { page, bytes: record.subarray(4) };
    }
    rest = rest.subarray(at);
  }
  if (header === undefined || rest.length > 0 || seen !== header.pages) throw malformed('it ends too soon or too late');
}

/** Writes a piece of changed pages into a new file; the header comes last, when all is known. */
export class ChangedPagesFile {
  readonly #descriptor: number;
  readonly #block: Buffer;
  readonly #pageSize: number;
  #filled = 0;
  #offset = CHANGED_PAGES_HEADER_BYTES;
  #pages = 0;

  constructor(path: string, pageSize: number) {
    this.#descriptor = openSync(path, 'w', 0o600);
    this.#pageSize = pageSize;
    this.#block = Buffer.allocUnsafe(Math.max(1, Math.floor(BLOCK_BYTES / (4 + pageSize))) * (4 + pageSize));
  }

  get pages(): number {
    return this.#pages;
  }

  add(page: number, bytes: Uint8Array): void {
    this.#block.writeUInt32BE(page, this.#filled);
    this.#block.set(bytes, this.#filled + 4);
    this.#filled += 4 + this.#pageSize;
    this.#pages++;
    if (this.#filled === this.#block.length) this.#flush();
  }

  finish(sizes: { pageCount: number; smallestPageCount: number }): void {
    this.#flush();
    writeAll(this.#descriptor, encodeHeader({ pageSize: this.#pageSize, pages: this.#pages, ...sizes }), 0);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #flush(): void {
    writeAll(this.#descriptor, this.#block.subarray(0, this.#filled), this.#offset);
    this.#offset += this.#filled;
    this.#filled = 0;
  }
}

/** Writes all of some bytes at a place of a file. */
export function writeAll(descriptor: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
}

function malformed(why: string): HoldfastError {
  return new HoldfastError('damaged', 'log-piece-malformed', `A piece of a log is none of changed pages: ${why}.`);
}

const BLOCK_BYTES = 256 * 1024;
