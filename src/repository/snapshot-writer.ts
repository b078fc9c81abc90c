import { HoldfastError } from '../core/errors.ts';
import { freeMemory } from '../core/freed-memory.ts';
import type {
  PlannedRange,
  SnapshotWriter,
  StoredStream,
  TaskModuleReference,
  TaskRunner,
  TreeWriter,
  WriteStreamOptions,
  WrittenCounts,
} from '../core/ports/repository.ts';
import type { SnapshotRecord } from '../core/snapshot-record.ts';
import type { Content, ContentSegment } from '../core/tree-entry.ts';
import { planRanges } from './chunk-planner.ts';
import { Chunker } from './chunker.ts';
import { encode } from './codec.ts';
import { newestRound } from './collection/collection-state.ts';
import { buildContent } from './content-list.ts';
import { type CompactPack, compactPack, rowCount } from './index-segment.ts';
import { PACK_KIND } from './pack-format.ts';
import type { WrittenPack } from './pack-writer.ts';
import { ChunkClaims } from './pipeline/chunk-claims.ts';
import type { EngineTask } from './pipeline/engine-tasks.ts';
import { ENGINE_MODULE, type SessionCounts } from './pipeline/messages.ts';
import type { PoolSession } from './pipeline/task-pool.ts';
import { type ReferencedChunk, referencedChunks } from './referenced-chunks.ts';
import { listBadPacks } from './repair/bad-packs.ts';
import type { RepositoryParts } from './repository-parts.ts';
import { WriterSessionMark } from './session-mark.ts';
import { laterCommitName } from './snapshot-name.ts';
import { writeStream } from './stream-writer.ts';
import { TreeBuilder } from './tree-builder.ts';

/** How often a commit is made anew because collectors began a round meanwhile. */
const MOST_COMMITS = 5;
const FLUSH_ROWS = 65_536;

/**
 * Writes one snapshot: packs → index segments → snapshot object → collection state read again → success
 * (research: engines.md 6.2, W0 to W5). Small content needs no packs and takes the short way: one object.
 */
export class EngineSnapshotWriter implements SnapshotWriter {
  readonly snapshotId: string;
  #commitName: string;
  readonly #parts: RepositoryParts;
  readonly #encrypt: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #mark: WriterSessionMark;
  #base: number;
  #reliesOnChunks = false;
  #session: PoolSession | undefined;
  #opening: Promise<PoolSession> | undefined;
  #packs: CompactPack[] = [];
  #rows = 0;
  #indexing: Promise<void> = Promise.resolve();
  #indexFailure: unknown;
  #inlineBytes = 0;
  #inlineEncoded = 0;
  #storedBytes = 0;
  #finalCounts: readonly SessionCounts[] | undefined;
  #state: 'open' | 'committed' | 'given-up' = 'open';

  constructor(
    parts: RepositoryParts,
    options: { snapshotId: string; commitName?: string; base: number; encrypt: boolean; signal?: AbortSignal },
  ) {
    this.#parts = parts;
    this.snapshotId = options.snapshotId;
    this.#commitName = options.commitName ?? options.snapshotId;
    this.#base = options.base;
    this.#encrypt = options.encrypt;
    this.#signal = options.signal;
    this.#mark = new WriterSessionMark(parts, options.snapshotId);
  }

  get concurrency(): number {
    return this.#parts.pool.size;
  }

  async writeStream(source: AsyncIterable<Uint8Array>, options: WriteStreamOptions = {}): Promise<StoredStream> {
    const { settings } = this.#parts;
    return writeStream(
      source,
      {
        longestChunk: settings.chunker.maximum,
        inlineLimit: settings.inlineContentLimit,
        cut: (batch) => this.#engine({ kind: 'cut-batch', batch }),
        storeChunks: (bytes, ends, ids) => this.#engine({ kind: 'store-chunks', bytes, ends, ids }),
        storePages: (pages) => this.#storePages(pages),
        onInline: (bytes) => this.#countInline(bytes),
        signal: this.#signal,
      },
      options,
    );
  }

  tasks<Task, Result>(module: TaskModuleReference): TaskRunner<Task, Result> {
    return {
      run: async (task, transfer) => {
        const session = await this.#open();
        return (await session.run(module.module, module.options, task, transfer)) as Result;
      },
    };
  }

  beginTree(): TreeWriter {
    const { settings, keyring } = this.#parts;
    return new TreeBuilder({
      pages: settings.pages,
      storePages: (pages) => this.#storePages(pages),
      storeIndex: async (bytes) => {
        if (bytes.length <= settings.inlineContentLimit) return { inline: bytes };
        const chunker = new Chunker(keyring().chunkerKey, settings.pages);
        const ends: number[] = [];
        while ((ends.at(-1) ?? 0) < bytes.length) ends.push(chunker.cut(bytes, ends.at(-1) ?? 0, bytes.length));
        const segments: ContentSegment[] = await this.#engine({ kind: 'store-pages', bytes, ends });
        return this.storeSegments(segments);
      },
    });
  }

  storeSegments(segments: readonly ContentSegment[]): Promise<Content> {
    return buildContent(segments, (pages) => this.#storePages(pages));
  }

  /** Stores chunks that another repository with the same chunk ids cut. @param ends where each one ends in `bytes`, which move there */
  async storeCopies(
    { bytes, ends }: { bytes: Uint8Array<ArrayBuffer>; ends: readonly number[] },
    metadata: boolean,
  ): Promise<void> {
    await this.#engine({ kind: metadata ? 'store-pages' : 'store-chunks', bytes, ends }, [bytes.buffer]);
  }

  counts(): WrittenCounts {
    const sums = { contentBytes: 0, newBytes: 0, newEncodedBytes: 0, knownStoredBytes: 0, knownSharedBytes: 0 };
    for (const counts of this.#finalCounts ?? this.#session?.counts() ?? []) {
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += counts[key];
    }
    const ratio = sums.newBytes === 0 ? 1 : sums.newEncodedBytes / sums.newBytes;
    return {
      contentBytes: sums.contentBytes + this.#inlineBytes,
      newBytes: sums.newBytes + this.#inlineBytes,
      newCompressedBytes: sums.newEncodedBytes + this.#inlineEncoded,
      compressedBytes:
        Math.round(sums.newEncodedBytes + sums.knownStoredBytes + sums.knownSharedBytes * ratio) + this.#inlineEncoded,
      storedBytes: this.#storedBytes + this.#inlineEncoded,
    };
  }

  async commit(complete: (counts: WrittenCounts) => SnapshotRecord): Promise<SnapshotRecord> {
    if (this.#state !== 'open')
      throw new HoldfastError('internal', 'snapshot-writer-closed', 'This snapshot was committed or given up already.');
    await this.flush();
    this.#signal?.throwIfAborted();
    const { snapshots, storage } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      const record = complete(this.counts());
      await snapshots.create(record, this.#base, this.#commitName);
      if ((await newestRound(storage)) <= this.#base) {
        this.#state = 'committed';
        this.#finalCounts = this.#session?.counts();
        await this.#close(false);
        return record;
      }
      // A collector may not have seen this snapshot: it must not stand until what it needs is surely outside of the condemned packs.
      await snapshots.withdraw(this.#commitName);
      this.#commitName = laterCommitName(this.snapshotId);
      if (attempt >= MOST_COMMITS)
        throw new HoldfastError(
          'unavailable',
          'collection-in-the-way',
          'Collections kept beginning while this backup was being committed. Try again.',
        );
      await this.#rescue(record);
    }
  }

  /**
   * Publishes a record of an earlier commit once more, or one made from its chunks, after storing again what of it collectors
   * condemned since.
   * @throws HoldfastError `collected-meanwhile` (unavailable), `object-missing`
   */
  async adopt(record: SnapshotRecord): Promise<SnapshotRecord> {
    await this.flush();
    this.#reliesOnChunks = true;
    await this.#rescue(record);
    return this.commit(() => record);
  }

  /** Resolves when all that was stored so far is durable and indexed. */
  async flush(): Promise<void> {
    if (this.#session === undefined) return;
    await this.#session.flush();
    await this.#writeIndex();
    if (this.#indexFailure !== undefined) throw this.#indexFailure;
  }

  async abort(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'given-up';
    await this.#close(true);
  }

  async #open(): Promise<PoolSession> {
    this.#signal?.throwIfAborted();
    if (this.#state !== 'open')
      throw new HoldfastError('cancelled', 'snapshot-writer-closed', 'The backup was given up.');
    this.#opening ??= this.#openSession();
    return this.#opening;
  }

  async #openSession(): Promise<PoolSession> {
    const { index, pool, keyring } = this.#parts;
    await this.#mark.write();
    const state = await this.#parts.followCollection();
    // Once chunks are relied on, only a rescue, which looks at each of them, may take a later round as seen.
    if (!this.#reliesOnChunks) this.#base = Math.max(this.#base, state.base);
    this.#reliesOnChunks = true;
    this.#session = pool.openSession(
      {
        keyring: keyring().secrets(),
        index: index.shared,
        writing: { claims: new ChunkClaims().shared, encrypt: this.#encrypt },
      },
      { onPack: (pack) => this.#takePack(pack), ...index.callbacks },
    );
    return this.#session;
  }

  /** Index segments are written as packs come, so that an interrupted backup's next try finds its chunks again. */
  #takePack(pack: WrittenPack): void {
    this.#storedBytes += pack.size;
    const compact = compactPack(pack);
    this.#packs.push(compact);
    this.#rows += rowCount(compact);
    if (this.#rows >= FLUSH_ROWS) void this.#writeIndex();
  }

  #writeIndex(): Promise<void> {
    const packs = this.#packs;
    this.#packs = [];
    this.#rows = 0;
    if (packs.length > 0) {
      this.#indexing = this.#indexing
        .then(async () => {
          this.#storedBytes += (await this.#parts.index.add(packs, this.snapshotId)).bytes;
          for (const { rows } of packs) freeMemory(rows);
        })
        .catch((error: unknown) => {
          this.#indexFailure ??= error;
        });
    }
    return this.#indexing;
  }

  /** Stores again whatever of this snapshot lies only in packs that a collector condemned meanwhile. */
  async #rescue(record: SnapshotRecord): Promise<void> {
    const { index } = this.#parts;
    const state = await this.#parts.followCollection();
    this.#base = state.base;
    const lost: ReferencedChunk[] = [];
    const going = new Set([...state.condemned, ...(await listBadPacks(this.#parts.storage))]);
    for await (const chunk of referencedChunks(this.#parts, record))
      if (!index.isElsewhere(chunk.id, going)) lost.push(chunk);
    if (lost.length === 0) return;
    await this.#close(false);
    this.#session = undefined;
    this.#opening = undefined;
    const located = lost.map(({ id, metadata }) => {
      const location = index.find(id);
      if (location === undefined) throw collectedMeanwhile();
      return { id, location, tags: [metadata ? PACK_KIND.metadata : PACK_KIND.data] };
    });
    try {
      for (const range of planRanges(located, (number) => index.pack(number))) await this.#copy(range);
    } catch (error) {
      if (error instanceof HoldfastError && GONE.has(error.code)) throw collectedMeanwhile(error);
      throw error;
    }
    await this.flush();
  }

  async #copy(range: PlannedRange): Promise<void> {
    await this.#engine<void>({ kind: 'copy-chunks', range });
  }

  async #storePages(pages: readonly Uint8Array[]): Promise<ContentSegment[]> {
    const bytes = new Uint8Array(pages.reduce((sum, page) => sum + page.length, 0));
    let end = 0;
    const ends = pages.map((page) => {
      bytes.set(page, end);
      end += page.length;
      return end;
    });
    return this.#engine({ kind: 'store-pages', bytes, ends }, [bytes.buffer]);
  }

  async #engine<Result>(task: EngineTask, transfer: readonly ArrayBuffer[] = []): Promise<Result> {
    const session = await this.#open();
    return (await session.run(ENGINE_MODULE, {}, task, transfer)) as Result;
  }

  #countInline(bytes: Uint8Array): void {
    this.#inlineBytes += bytes.length;
    this.#inlineEncoded += encode(bytes, this.#parts.settings.codec).bytes.length;
  }

  async #close(abort: boolean): Promise<void> {
    if (this.#opening !== undefined) {
      const session = await this.#opening.catch(() => undefined);
      await session?.close(abort);
    }
    await this.#mark.remove();
  }
}

const GONE = new Set(['object-missing', 'chunk-missing']);

function collectedMeanwhile(cause?: unknown): HoldfastError {
  return new HoldfastError(
    'unavailable',
    'collected-meanwhile',
    'A collection removed chunks that this backup relied on before it was complete. Nothing is lost: make the backup again.',
    { cause },
  );
}
