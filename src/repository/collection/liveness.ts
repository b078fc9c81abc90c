import { HoldfastError } from '../../core/errors.ts';
import type { PlannedRange } from '../../core/ports/repository.ts';
import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import type { Content, ContentSegment } from '../../core/tree-entry.ts';
import { planRanges } from '../chunk-planner.ts';
import type { ChunkLocation, ChunkTable } from '../chunk-table.ts';
import { inLanes } from '../lanes.ts';
import { decodeMetadata } from '../metadata-encoding.ts';
import { PACK_GONE } from '../pack-flags.ts';
import type { PageReferences } from '../page-references.ts';
import type { ReadChunks } from '../pipeline/engine-tasks.ts';
import { ENGINE_MODULE } from '../pipeline/messages.ts';
import type { PoolSession } from '../pipeline/task-pool.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { toSegment } from '../tree-entry-codec.ts';
import { decodeTreeIndex } from '../tree-index.ts';

/** What of a pack is needed; lengths are of plain bytes. */
export interface PackUse {
  rows: number;
  liveRows: number;
  length: number;
  liveLength: number;
}

/**
 * Which chunks snapshots need: one bit for each row of the index. Of a chunk that lies in several packs one place is needed, in a
 * usable and encrypted pack if there is one. Pages that snapshots share are walked once.
 */
export class Liveness {
  /** Chunks that snapshots name and that are nowhere. */
  missingChunks = 0;
  liveChunks = 0;
  readonly table: ChunkTable;
  /** Packs with a higher number came after this began. */
  readonly packNumbers: number;
  readonly #parts: RepositoryParts;
  readonly #bits: Uint8Array;
  readonly #walkedPages = new Set<string>();
  #session: PoolSession | undefined;

  constructor(parts: RepositoryParts) {
    this.#parts = parts;
    this.table = parts.index.table;
    this.packNumbers = parts.index.packNumbers;
    this.#bits = new Uint8Array(Math.ceil(this.table.capacity / 8));
  }

  /** Marks all that snapshots need. @param done is told of each one @throws as `mark` does */
  async markAll(records: readonly SnapshotRecord[], signal: AbortSignal | undefined, done: () => void): Promise<void> {
    await inLanes(records, SNAPSHOTS_AT_ONCE, async (record) => {
      signal?.throwIfAborted();
      await this.mark(record, signal);
      done();
    });
  }

  /**
   * Marks all that a snapshot needs.
   * @throws HoldfastError `collection-stopped-by-damage` (damaged): what cannot be read may name chunks that are needed
   */
  async mark(record: SnapshotRecord, signal?: AbortSignal): Promise<void> {
    try {
      await this.#markRecord(record, signal);
    } catch (cause) {
      if (!(cause instanceof HoldfastError) || (cause.kind !== 'damaged' && cause.kind !== 'not-found')) throw cause;
      throw new HoldfastError(
        'damaged',
        'collection-stopped-by-damage',
        `What ${record.backup.id} needs cannot be told, because a part of its tree is damaged: ${cause.message} Nothing was removed. Repair the repository or forget that backup, then collect again.`,
        { cause, details: { backupId: record.backup.id } },
      );
    }
  }

  isLive(slot: number): boolean {
    return ((this.#bits[slot >> 3] as number) & (1 << (slot & 7))) !== 0;
  }

  /** By pack number. */
  packUses(): PackUse[] {
    const uses = Array.from({ length: this.packNumbers }, () => ({ rows: 0, liveRows: 0, length: 0, liveLength: 0 }));
    this.table.forEachRow((slot, pack, length) => {
      const use = uses[pack];
      if (use === undefined) return;
      use.rows++;
      use.length += length;
      if (!this.isLive(slot)) return;
      use.liveRows++;
      use.liveLength += length;
    });
    return uses;
  }

  async close(): Promise<void> {
    await this.#session?.close(false);
    this.#session = undefined;
  }

  async #markRecord({ root }: SnapshotRecord, signal: AbortSignal | undefined): Promise<void> {
    const lists: Content[] = [];
    this.#markContent(root.content, lists);
    await this.#markLists(lists);
    if (root.kind !== 'tree') return;
    const pages = decodeTreeIndex(await this.#readContent(root.content));
    const fresh = pages.flatMap(({ page }) => (page.id !== null && this.#isFirstVisit(page.id) ? [page.id] : []));
    for (let at = 0; at < fresh.length; at += PAGES_AT_ONCE) {
      signal?.throwIfAborted();
      const ids = fresh.slice(at, at + PAGES_AT_ONCE);
      for (const id of ids) this.#markChunk(id);
      for (const listed of await this.#listContents(ids)) {
        for (let start = 0; start < listed.ids.length; start += ID_LENGTH)
          this.#markChunk(listed.ids.subarray(start, start + ID_LENGTH));
        for (const content of listed.lists) this.#markContent(content, lists);
      }
      await this.#markLists(lists);
    }
  }

  /** @param lists takes contents whose chunks are listed in pages of their own */
  #markContent(content: Content, lists: Content[]): void {
    if ('inline' in content) return;
    if ('segments' in content) {
      for (const { id } of content.segments) if (id !== null) this.#markChunk(id);
      return;
    }
    const fresh: ContentSegment[] = [];
    for (const page of content.pages) if (page.id !== null && this.#isFirstVisit(page.id)) fresh.push(page);
    if (fresh.length > 0) lists.push({ depth: content.depth, pages: fresh });
  }

  /** Walks lists of chunks level by level; empties `lists`. */
  async #markLists(lists: Content[]): Promise<void> {
    for (let list = lists.pop(); list !== undefined; list = lists.pop()) {
      if (!('pages' in list)) continue;
      const { depth } = list;
      const ids = list.pages.flatMap(({ id }) => (id === null ? [] : [id]));
      for (const id of ids) this.#markChunk(id);
      await this.#readMany(ids, (bytes) => {
        const value = decodeMetadata(Uint8Array.from(bytes));
        if (!Array.isArray(value))
          throw new HoldfastError('damaged', 'metadata-damaged', 'A page of a list of chunks is not a list.');
        const below = value.map(toSegment);
        this.#markContent(depth === 1 ? { segments: below } : { depth: depth - 1, pages: below }, lists);
      });
    }
  }

  async #readContent(content: Content): Promise<Uint8Array> {
    if ('inline' in content) return content.inline;
    if (!('segments' in content))
      throw new HoldfastError('damaged', 'metadata-damaged', "A tree's index is stored as none is ever written.");
    const ids = content.segments.flatMap(({ id }) => (id === null ? [] : [id]));
    const parts: Uint8Array[] = [];
    await this.#readMany(ids, (bytes, tag) => {
      parts[tag] = Uint8Array.from(bytes);
    });
    return Buffer.concat(parts);
  }

  #isFirstVisit(id: Uint8Array): boolean {
    const name = Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
    if (this.#walkedPages.has(name)) return false;
    this.#walkedPages.add(name);
    return true;
  }

  #markChunk(id: Uint8Array): void {
    const location = this.#bestPlace(id);
    if (location === undefined) {
      this.missingChunks++;
      return;
    }
    const { slot } = location;
    const bit = 1 << (slot & 7);
    if (((this.#bits[slot >> 3] as number) & bit) !== 0) return;
    this.#bits[slot >> 3] = (this.#bits[slot >> 3] as number) | bit;
    this.liveChunks++;
  }

  /** Flags compare as numbers: none is best, then a plain pack, then an unusable one; what is gone is no place at all. */
  #bestPlace(id: Uint8Array): ChunkLocation | undefined {
    const { index } = this.#parts;
    let best: ChunkLocation | undefined;
    let bestFlags = PACK_GONE;
    this.table.find(id, (location) => {
      const flags = index.flagsOf(location.pack);
      if (flags < bestFlags) {
        best = location;
        bestFlags = flags;
      }
      return flags === 0;
    });
    return best;
  }

  /** What pages of a tree name: they are decoded where they are read. */
  #listContents(pages: readonly Uint8Array[]): Promise<PageReferences[]> {
    const session = this.#openSession();
    return Promise.all(
      this.#planned(pages).map(
        async (range) => (await session.run(ENGINE_MODULE, {}, { kind: 'list-contents', range })) as PageReferences,
      ),
    );
  }

  #planned(ids: readonly Uint8Array[]): PlannedRange[] {
    const { index } = this.#parts;
    const located = ids.map((id, tag) => {
      const location = this.#bestPlace(id);
      if (location === undefined)
        throw new HoldfastError('damaged', 'chunk-missing', 'A page of metadata is in no pack that the index knows.');
      return { id, location, tags: [tag] };
    });
    return planRanges(located, (number) => index.pack(number));
  }

  /** Reads chunks in few long ranges, several at a time. @param take gets each one's bytes, valid during the call, and its position */
  async #readMany(ids: readonly Uint8Array[], take: (bytes: Uint8Array, tag: number) => void): Promise<void> {
    const session = this.#openSession();
    const results = await Promise.all(
      this.#planned(ids).map((range) => session.run(ENGINE_MODULE, {}, { kind: 'read-chunks', range })),
    );
    for (const { bytes, tags, ends } of results as ReadChunks[])
      for (const [at, tag] of tags.entries()) take(bytes.subarray(ends[at - 1] ?? 0, ends[at]), tag);
  }

  #openSession(): PoolSession {
    const { pool, keyring, index } = this.#parts;
    this.#session ??= pool.openSession({ keyring: keyring().secrets(), index: index.shared }, index.callbacks);
    return this.#session;
  }
}

const PAGES_AT_ONCE = 1024;
/** Snapshots walked at the same time: each has few pages that no other one has. */
const SNAPSHOTS_AT_ONCE = 8;
const ID_LENGTH = 32;
