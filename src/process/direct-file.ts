import { closeSync, constants, openSync } from 'node:fs';
import { openDirect, writeAll, writeAllSync } from './direct-writes.ts';
import { allocatePageAligned, isPageAligned, PAGE } from './page-aligned-memory.ts';
import type { PageCacheCost } from './page-cache-cost.ts';

/**
 * A part of a file that is written around the page cache where the file system can (`O_DIRECT`), while the caller goes on: fresh pages of the
 * cache may cost more processor time than all else that a restore does (docs/decisions/0047-restored-around-the-page-cache.md).
 *
 * Bytes that follow each other are gathered in blocks; whole pages of a block go directly, as long as the disk keeps pace, and the page at either
 * end, of which somebody else may write the rest, by the page cache. No byte may be written twice.
 *
 * Where nobody waits for the bytes to be on the disk, they go to the page cache instead for as long as that is cheap.
 */
export class DirectFile {
  readonly #ordinary: number;
  readonly #direct: number | undefined;
  /** Undefined where the bytes are to be on the disk soon. */
  readonly #pageCache: PageCacheCost | undefined;
  readonly #writes = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;
  #block: Buffer | undefined;
  /** Of the block: where it begins in the file, at a page's start, and which of its bytes are there. */
  #place = 0;
  #from = 0;
  #to = 0;

  private constructor(ordinary: number, direct: number | undefined, pageCache: PageCacheCost | undefined) {
    this.#ordinary = ordinary;
    this.#direct = direct;
    this.#pageCache = pageCache;
  }

  /**
   * @param path of a file that is there; a symbolic link is refused
   * @param pageCache what it costs; without it, all is written directly that can be, as suits who calls `fsync` in the end
   */
  static open(path: Buffer, pageCache?: PageCacheCost): DirectFile {
    const flags = constants.O_WRONLY | constants.O_NOFOLLOW;
    const ordinary = openSync(path, flags);
    try {
      return new DirectFile(ordinary, openDirect(path, flags), pageCache);
    } catch (error) {
      closeSync(ordinary);
      throw error;
    }
  }

  /** The bytes are copied. @throws what went wrong in an earlier write, too */
  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length >= WORTH_A_CALL && this.#pageCache?.takesNext() === true) {
      this.#flush();
      if (this.#failure !== undefined) throw this.#failure.error;
      this.#writeCached(this.#pageCache, bytes, offset);
      return;
    }
    for (let done = 0; done < bytes.length; ) {
      const block = this.#blockAt(offset + done);
      const count = Math.min(bytes.length - done, block.length - this.#to);
      block.set(bytes.subarray(done, done + count), this.#to);
      this.#to += count;
      done += count;
      if (this.#to === block.length) this.#flush();
    }
  }

  /** Resolves when all is written; what was not, is thrown. */
  async finish(): Promise<void> {
    this.#flush();
    await this.#settle();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Descriptors, whose numbers other files may get, go when no write is under way. What was not finished may be lost. @throws what closing tells (NFS) */
  async close(): Promise<void> {
    await this.#settle();
    this.#giveBack();
    try {
      closeSync(this.#ordinary);
    } finally {
      if (this.#direct !== undefined) closeSync(this.#direct);
    }
  }

  #blockAt(offset: number): Buffer {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#block !== undefined && offset !== this.#place + this.#to) this.#flush();
    if (this.#block === undefined) {
      this.#block = takeBlock() ?? allocateBlock();
      this.#from = offset % LARGEST_PAGE;
      this.#to = this.#from;
      this.#place = offset - this.#from;
    }
    return this.#block;
  }

  #flush(): void {
    const block = this.#block;
    if (block === undefined) return;
    const [first, last] =
      this.#direct === undefined || !isPageAligned(block) ? [this.#to, this.#to] : this.#wholePages();
    writeAllSync(this.#ordinary, block.subarray(this.#from, first), this.#place + this.#from);
    writeAllSync(this.#ordinary, block.subarray(last, this.#to), this.#place + last);
    if (first < last) this.#writePages(block, first, last);
    this.#giveBack();
  }

  /** @returns two times the end where there is none */
  #wholePages(): [first: number, last: number] {
    const first = Math.ceil(this.#from / LARGEST_PAGE) * LARGEST_PAGE;
    const last = this.#to - (this.#to % LARGEST_PAGE);
    return first < last ? [first, last] : [this.#to, this.#to];
  }

  /** Where all blocks are under way the disk lags behind: the page cache takes this one, and nobody waits. */
  #writePages(block: Buffer, first: number, last: number): void {
    const [bytes, position] = [block.subarray(first, last), this.#place + first];
    if (this.#pageCache?.takesNext() === true) {
      this.#writeCached(this.#pageCache, bytes, position);
      return;
    }
    const next = takeBlock();
    if (next === undefined) {
      writeAllSync(this.#ordinary, bytes, position);
      return;
    }
    this.#block = next;
    const writing = writeAll(this.#direct ?? this.#ordinary, bytes, position, this.#ordinary)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#writes.delete(writing);
        free.push(block);
      });
    this.#writes.add(writing);
  }

  #writeCached(pageCache: PageCacheCost, bytes: Uint8Array, position: number): void {
    pageCache.measure(bytes.length, () => writeAllSync(this.#ordinary, bytes, position));
  }

  #giveBack(): void {
    if (this.#block !== undefined) free.push(this.#block);
    this.#block = undefined;
  }

  async #settle(): Promise<void> {
    while (this.#writes.size > 0) await Promise.all(this.#writes);
  }
}

/**
 * Of the page cache: processors other than x64 may run with larger pages than direct transfers ask for, and not every file system (of a
 * network) keeps the rest of such a page right when it is written in both ways. Bytes.
 */
const LARGEST_PAGE = process.arch === 'x64' ? PAGE : 65_536;
/** Bytes; whole pages of any kind. */
const BLOCK = 1024 * 1024;
/** Of a thread: while a thread decodes it does not hear of writes that ended. */
const MOST_BLOCKS = 8;
/** Bytes that are not gathered first. */
const WORTH_A_CALL = 65_536;
const free: Buffer[] = [];
let made = 0;

function takeBlock(): Buffer | undefined {
  return free.pop() ?? (made < MOST_BLOCKS ? allocateBlock() : undefined);
}

function allocateBlock(): Buffer {
  made++;
  return allocatePageAligned(BLOCK);
}
