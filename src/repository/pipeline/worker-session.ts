import { HoldfastError } from '../../core/errors.ts';
import type {
  OpenTreePage,
  PlannedRange,
  TaskContext,
  TaskHandler,
  TreePageEntries,
} from '../../core/ports/repository.ts';
import type { Storage } from '../../core/ports/storage.ts';
import type { Content, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';
import { type LocatedChunk, planRanges } from '../chunk-planner.ts';
import { type ChunkLocation, ChunkTable } from '../chunk-table.ts';
import { contentSegments } from '../content-list.ts';
import type { IndexedPack } from '../index-segment.ts';
import { Keyring } from '../keyring.ts';
import { chunkMissing } from '../missing-chunk.ts';
import { PACK_UNUSABLE } from '../pack-flags.ts';
import { packKey } from '../pack-format.ts';
import type { OpenedFrame } from '../pack-reader.ts';
import type { WrittenPack } from '../pack-writer.ts';
import type { RepositorySettings } from '../settings.ts';
import { decodeTreePage, encodeTreeEntry, TreePageDecoder } from '../tree-entry-codec.ts';
import { ChunkStore } from './chunk-store.ts';
import { type FoundPlace, readDespiteDamage } from './despite-damage.ts';
import { createEngineTasks } from './engine-tasks.ts';
import { ENGINE_MODULE, type OpenSession, type SessionCounts } from './messages.ts';
import { RangeSource, type ThreadMemory } from './range-source.ts';
import type { PlacesOf } from './session-callbacks.ts';

export interface SessionEnvironment {
  storage: Storage;
  settings: RepositorySettings;
  onPack: (pack: WrittenPack) => void;
  /** Asks the main thread which pack a number of the shared table means. */
  packOf: (number: number) => Promise<IndexedPack>;
  /** Asks the main thread where chunks are now, after it has read the index again. */
  placesOf: PlacesOf;
  memory: ThreadMemory;
}

/** One snapshot being written or read, as one worker thread sees it. */
export class WorkerSession implements TaskContext {
  readonly inlineLimit: number;
  readonly source: RangeSource;
  readonly storage: Storage;
  readonly #environment: SessionEnvironment;
  readonly #store: ChunkStore | undefined;
  readonly #table: ChunkTable;
  readonly #packFlags: Uint8Array;
  readonly #handlers = new Map<string, Promise<TaskHandler<unknown, unknown>>>();
  readonly #packs = new Map<number, Promise<IndexedPack>>();
  #lastFrame: { pack: string; offset: number; frame: OpenedFrame } | undefined;

  constructor(environment: SessionEnvironment, open: OpenSession) {
    const keyring = Keyring.fromSecrets(open.keyring);
    const { storage, settings } = environment;
    this.#environment = environment;
    this.storage = storage;
    this.inlineLimit = settings.inlineFileLimit;
    this.source = new RangeSource(storage, keyring, environment.placesOf, environment.memory);
    this.#table = new ChunkTable({ shared: open.index.table });
    this.#packFlags = new Uint8Array(open.index.packFlags);
    if (open.writing !== undefined)
      this.#store = new ChunkStore({
        storage,
        settings,
        keyring,
        index: open.index,
        ...open.writing,
        contexts: environment.memory.writing,
        onPack: environment.onPack,
      });
  }

  get sink(): ChunkStore {
    if (this.#store === undefined)
      throw new HoldfastError('internal', 'session-reads-only', 'This session reads; it cannot store chunks.');
    return this.#store;
  }

  get counts(): SessionCounts | undefined {
    return this.#store?.counts;
  }

  encodeEntry(entry: TreeEntry): Uint8Array {
    return encodeTreeEntry(entry);
  }

  async readPages(pages: readonly ContentSegment[]): Promise<TreePageEntries[]> {
    return (await this.#pageBytes(pages)).map(decodeTreePage);
  }

  async openPages(pages: readonly ContentSegment[]): Promise<OpenTreePage[]> {
    return (await this.#pageBytes(pages)).map((bytes) => ({ read: () => new TreePageDecoder(bytes, true) }));
  }

  isStored(content: Content): boolean | Promise<boolean> {
    if ('inline' in content) return true;
    if (content.missing !== undefined) return false;
    if ('pages' in content) return this.#isListStored(content);
    return content.segments.every(({ id, length }) => id === null || this.sink.has(id, length));
  }

  async #isListStored(content: Content): Promise<boolean> {
    let isListStored = true;
    // The new snapshot refers to the pages of a long list as well.
    const readListPage = (id: Uint8Array): Promise<Uint8Array> => {
      if (!this.sink.has(id, 0)) isListStored = false;
      return this.#readChunk({ id, length: 0 });
    };
    for await (const { id, length } of contentSegments(content, readListPage))
      if (!isListStored || (id !== null && !this.sink.has(id, length))) return false;
    return isListStored;
  }

  async #pageBytes(pages: readonly ContentSegment[]): Promise<Uint8Array[]> {
    const found: Uint8Array[] = [];
    const wanted = pages.map(({ id }, tag) => ({ id: requirePage(id), tag }));
    for (const range of await this.plan(wanted)) {
      // The page's bytes are the caller's to keep (entries refer to them), so they leave the range's buffer.
      await this.source.read(range, (tag, bytes) => {
        found[tag] = Uint8Array.from(bytes);
      });
    }
    return found;
  }

  segments(
    content: Content,
    { despiteDamage, within }: { despiteDamage?: boolean; within?: { offset: number; length: number } } = {},
  ): AsyncIterable<ContentSegment> {
    const readPage = (id: Uint8Array): Promise<Uint8Array> => this.#readChunk({ id, length: 0 });
    const isElsewhere = (start: number, length: number): boolean =>
      within !== undefined && (start + length <= within.offset || start >= within.offset + within.length);
    return contentSegments(content, readPage, isElsewhere, despiteDamage === true ? 'unreadable' : 'nothing');
  }

  readDespiteDamage(
    wanted: readonly { id: Uint8Array; tag: number }[],
    take: (tag: number, bytes: Uint8Array) => void,
    lose: (tag: number, reason: HoldfastError) => void,
  ): Promise<void> {
    const access = {
      source: this.source,
      plan: (chunks: typeof wanted) => this.plan(chunks),
      placesOf: (id: Uint8Array) => this.#allPlaces(id),
    };
    return readDespiteDamage(access, wanted, take, lose);
  }

  async plan(wanted: readonly { id: Uint8Array; tag: number }[]): Promise<PlannedRange[]> {
    const located = new Map<string, LocatedChunk>();
    const packs = new Map<number, IndexedPack>();
    for (const { id, tag } of wanted) {
      const name = Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
      const known = located.get(name);
      if (known !== undefined) {
        known.tags.push(tag);
        continue;
      }
      const location = this.#locate(id);
      if (!packs.has(location.pack)) packs.set(location.pack, await this.#pack(location.pack));
      located.set(name, { id, location, tags: [tag] });
    }
    return planRanges([...located.values()], (number) => packs.get(number) as IndexedPack);
  }

  async run(
    module: string,
    options: Readonly<Record<string, unknown>>,
    payload: unknown,
  ): Promise<{ value: unknown; transfer: readonly ArrayBuffer[] }> {
    let handler = this.#handlers.get(module);
    if (handler === undefined) {
      handler = this.#load(module, options);
      this.#handlers.set(module, handler);
    }
    const loaded = await handler;
    await this.#store?.ready();
    const value = await loaded.handle(payload);
    await this.#store?.drain();
    return { value, transfer: loaded.transferables?.(value) ?? [] };
  }

  async flush(): Promise<void> {
    await this.#store?.finish();
  }

  async close(abort: boolean): Promise<void> {
    try {
      for (const handler of this.#handlers.values()) (await handler.catch(() => undefined))?.close?.();
    } finally {
      if (abort) await this.#store?.abort();
    }
  }

  async #load(module: string, options: Readonly<Record<string, unknown>>): Promise<TaskHandler<unknown, unknown>> {
    if (module === ENGINE_MODULE) return createEngineTasks(this);
    const loaded: {
      createTaskHandler(
        context: TaskContext,
        options: Readonly<Record<string, unknown>>,
      ): TaskHandler<unknown, unknown>;
    } = await import(module);
    return loaded.createTaskHandler(this, options);
  }

  async #readChunk(segment: ContentSegment): Promise<Uint8Array> {
    const id = requirePage(segment.id);
    const location = this.#locate(id);
    const pack = await this.#pack(location.pack);
    try {
      return await this.#readAt(id, location, pack);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'object-missing') throw error;
      const [place] = await this.#environment.placesOf([id]);
      if (place?.location === undefined || place.pack === undefined) throw chunkMissing(id);
      return this.#readAt(id, place.location, place.pack);
    }
  }

  async #readAt(id: Uint8Array, location: ChunkLocation, pack: IndexedPack): Promise<Uint8Array> {
    if (this.#lastFrame?.pack !== pack.idHex || this.#lastFrame.offset !== location.frameOffset) {
      const bytes = await this.storage.getRange(packKey(pack.idHex), location.frameOffset, location.frameLength);
      this.#lastFrame = {
        pack: pack.idHex,
        offset: location.frameOffset,
        frame: this.source.opener(pack).openFrame(bytes),
      };
    }
    const plain = this.#lastFrame.frame.body.subarray(location.bodyOffset, location.bodyOffset + location.length);
    this.source.opener(pack).verifyChunk(id, plain);
    return plain;
  }

  #locate(id: Uint8Array): ChunkLocation {
    let found: ChunkLocation | undefined;
    this.#table.find(id, (location) => {
      found = location;
      return ((this.#packFlags[location.pack] ?? 0) & PACK_UNUSABLE) === 0;
    });
    if (found === undefined) throw chunkMissing(id);
    return found;
  }

  /** Usable packs first; as the main thread knows them now, if this thread knows none. */
  async #allPlaces(id: Uint8Array): Promise<FoundPlace[]> {
    const locations: ChunkLocation[] = [];
    this.#table.find(id, (location) => {
      const usable = ((this.#packFlags[location.pack] ?? 0) & PACK_UNUSABLE) === 0;
      if (usable) locations.unshift(location);
      else locations.push(location);
      return false;
    });
    if (locations.length > 0)
      return Promise.all(locations.map(async (location) => ({ location, pack: await this.#pack(location.pack) })));
    const [{ location, pack } = {}] = await this.#environment.placesOf([id]);
    return location === undefined || pack === undefined ? [] : [{ location, pack }];
  }

  #pack(number: number): Promise<IndexedPack> {
    let pack = this.#packs.get(number);
    if (pack === undefined) {
      pack = this.#environment.packOf(number);
      this.#packs.set(number, pack);
    }
    return pack;
  }
}

function requirePage(id: Uint8Array | null): Uint8Array {
  if (id === null) throw new HoldfastError('damaged', 'metadata-damaged', 'A page of metadata is recorded as a hole.');
  return id;
}
