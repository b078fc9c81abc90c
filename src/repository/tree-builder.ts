import { HoldfastError } from '../core/errors.ts';
import type { EncodedEntries, TreeWriter } from '../core/ports/repository.ts';
import type { SnapshotRoot } from '../core/snapshot-record.ts';
import { type ByteString, type Content, type ContentSegment, comparePaths } from '../core/tree-entry.ts';
import type { StorePages } from './content-list.ts';
import type { RepositorySettings } from './settings.ts';
import { encodeTreePage } from './tree-index.ts';

export interface TreeBuilderOptions {
  pages: RepositorySettings['pages'];
  storePages: StorePages;
  /** Stores the tree's index, a stream of bytes. */
  storeIndex: (bytes: Uint8Array) => Promise<Content>;
}

/**
 * Gathers entries, which come in path order, into pages. Where a page ends depends on the paths in it alone, so that a change
 * in one place leaves the other pages, and their chunk ids, as they were.
 */
export class TreeBuilder implements TreeWriter {
  readonly #options: TreeBuilderOptions;
  readonly #pageIndex: Promise<Uint8Array[]>[] = [];
  readonly #inFlight = new Set<Promise<unknown>>();
  #page: Uint8Array[] = [];
  #pageLength = 0;
  #pageFirst: ByteString | undefined;
  #batch: FinishedPage[] = [];
  #batchLength = 0;
  #lastPath: ByteString | undefined;
  #entries = 0;
  #bytes = 0;
  #failure: unknown;

  constructor(options: TreeBuilderOptions) {
    this.#options = options;
  }

  async append(entries: EncodedEntries): Promise<void> {
    let start = 0;
    for (const [index, end] of entries.ends.entries()) {
      this.#add(entries.paths[index] as ByteString, entries.bytes.subarray(start, end));
      start = end;
    }
    while (this.#inFlight.size > BATCHES_IN_FLIGHT) await Promise.race(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async finish(): Promise<Extract<SnapshotRoot, { kind: 'tree' }>> {
    this.#endPage();
    this.#sendBatch();
    const rows = (await Promise.all(this.#pageIndex)).flat();
    const content = await this.#options.storeIndex(Buffer.concat(rows));
    return { kind: 'tree', length: this.#bytes, entries: this.#entries, content };
  }

  #add(path: ByteString, encoded: Uint8Array): void {
    if (this.#lastPath !== undefined && comparePaths(this.#lastPath, path) >= 0) {
      throw new HoldfastError(
        'internal',
        'tree-out-of-order',
        'Tree entries came out of order; the backup was given up so that nothing wrong is stored.',
      );
    }
    this.#lastPath = path;
    this.#pageFirst ??= path;
    this.#page.push(encoded);
    this.#pageLength += encoded.length;
    this.#entries++;
    const { minimum, average, maximum } = this.#options.pages;
    const ends = this.#pageLength >= minimum && pathHash(path) < (encoded.length / average) * 4294967296;
    if (ends || this.#pageLength >= maximum) this.#endPage();
  }

  #endPage(): void {
    if (this.#pageFirst === undefined) return;
    this.#batch.push({ firstPath: this.#pageFirst, entries: this.#page.length, bytes: Buffer.concat(this.#page) });
    this.#batchLength += this.#pageLength;
    this.#bytes += this.#pageLength;
    this.#page = [];
    this.#pageLength = 0;
    this.#pageFirst = undefined;
    if (this.#batchLength >= BATCH_BYTES) this.#sendBatch();
  }

  #sendBatch(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchLength = 0;
    const stored = this.#options
      .storePages(batch.map((page) => page.bytes))
      .then((segments) => toIndexRows(batch, segments));
    this.#pageIndex.push(stored);
    const settled = stored.catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#inFlight.add(settled);
    void settled.finally(() => this.#inFlight.delete(settled));
  }
}

interface FinishedPage {
  firstPath: ByteString;
  entries: number;
  bytes: Uint8Array;
}

const BATCH_BYTES = 524_288;
const BATCHES_IN_FLIGHT = 8;

function toIndexRows(batch: readonly FinishedPage[], segments: readonly ContentSegment[]): Uint8Array[] {
  return batch.map(({ firstPath, entries }, index) =>
    encodeTreePage({ firstPath, entries, page: segments[index] as ContentSegment }),
  );
}

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/), finished by a multiplicative mix. */
function pathHash(path: ByteString): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < path.length; index++) hash = Math.imul(hash ^ path.charCodeAt(index), 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
}
