import { HoldfastError } from '../core/errors.ts';
import { freeMemory } from '../core/freed-memory.ts';
import type { Storage, StoredObject } from '../core/ports/storage.ts';
import { type ChunkLocation, ChunkTable } from './chunk-table.ts';
import { ROW_LENGTH } from './index-row.ts';
import {
  decodeIndexSegment,
  encodeIndexSegment,
  type IndexedPack,
  type IndexSegment,
  MOST_ROWS,
  type NewPack,
  rowCount,
  segmentOf,
} from './index-segment.ts';
import type { Keyring } from './keyring.ts';
import { PACK_GONE, PACK_PLAIN, PACK_UNUSABLE } from './pack-flags.ts';
import { PACK_KIND } from './pack-format.ts';
import { PackList } from './pack-list.ts';
import type { SessionCallbacks } from './pipeline/session-callbacks.ts';
import { CIPHER_NONE } from './record-cipher.ts';

/** The shared memory that a worker needs to look chunks up. */
export interface SharedIndex {
  table: SharedArrayBuffer;
  packFlags: SharedArrayBuffer;
}

/** Does something again with the newest keyring where it met an epoch that this process does not know yet. */
export type FollowingRotation = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** What the index keeps of a segment. */
export interface KnownSegment {
  /** numbers of its packs */
  packs: readonly number[];
  rows: number;
  /** Key epoch that it is sealed under. */
  epoch: number;
  session?: string;
}

/**
 * The index in memory, kept in step with the `index/` objects. What it knows never leads the storage: rows enter after
 * their segment is durable, and packs that no segment names any more (a collector removed them) count as gone. Numbers of packs
 * stay what they are as long as the process runs, so that worker threads may go on with the table that they were given.
 */
export class IndexStore {
  readonly #storage: Storage;
  readonly #keyring: () => Keyring;
  readonly #following: FollowingRotation;
  readonly #segments = new Map<string, KnownSegment>();
  readonly #packs = new PackList();
  #flags = new Uint8Array(new SharedArrayBuffer(1024));
  #table = new ChunkTable({ expected: 0 });
  #refreshing: Promise<void> | undefined;

  /** @param following does something again with the newest keyring where it met an epoch that this process does not know yet */
  constructor(storage: Storage, keyring: () => Keyring, following: FollowingRotation = (work) => work()) {
    this.#storage = storage;
    this.#keyring = keyring;
    this.#following = following;
  }

  get shared(): SharedIndex {
    return { table: this.#table.shared, packFlags: this.#flags.buffer as SharedArrayBuffer };
  }
  /** The same, where some packs count as absent for one session alone. @param numbers of packs */
  sharedWithout(numbers: Iterable<number>): SharedIndex {
    const flags = new Uint8Array(new SharedArrayBuffer(this.#flags.length));
    flags.set(this.#flags);
    for (const number of numbers) flags[number] = (flags[number] as number) | PACK_UNUSABLE;
    return { table: this.#table.shared, packFlags: flags.buffer as SharedArrayBuffer };
  }

  /** Rows of all segments: a chunk in two packs counts twice. */
  get chunkCount(): number {
    let count = 0;
    for (const { rows } of this.#segments.values()) count += rows;
    return count;
  }
  get segments(): ReadonlyMap<string, KnownSegment> {
    return this.#segments;
  }
  /** The packs that segments name. */
  get packs(): readonly IndexedPack[] {
    const packs: IndexedPack[] = [];
    for (let number = 0; number < this.#packs.count; number++)
      if (!this.isGone(number)) packs.push(this.#packs.at(number));
    return packs;
  }
  /** The table as it is now; rows may still enter it, none ever moves. */
  get table(): ChunkTable {
    return this.#table;
  }
  /** How many packs have a number, those included that have gone. */
  get packNumbers(): number {
    return this.#packs.count;
  }

  isGone(number: number): boolean {
    return ((this.#flags[number] as number) & PACK_GONE) !== 0;
  }

  flagsOf(number: number): number {
    return this.#flags[number] as number;
  }

  pack(number: number): IndexedPack {
    return this.#packs.at(number);
  }

  /** What worker threads ask of the index. */
  get callbacks(): Pick<SessionCallbacks, 'packOf' | 'placesOf'> {
    return {
      packOf: (number) => this.pack(number),
      placesOf: async (ids) => {
        await this.refresh();
        return ids.map((id) => {
          const location = this.find(id);
          return location === undefined ? {} : { location, pack: this.pack(location.pack) };
        });
      },
    };
  }

  /** Reads segments that others wrote since. Concurrent calls share one reading that began after theirs. */
  async refresh(): Promise<void> {
    const running = this.#refreshing;
    if (running !== undefined) await running.catch(() => undefined);
    if (this.#refreshing !== undefined && this.#refreshing !== running) return this.#refreshing;
    const refreshing = this.#following(() => this.#refresh()).finally(() => {
      if (this.#refreshing === refreshing) this.#refreshing = undefined;
    });
    this.#refreshing = refreshing;
    return refreshing;
  }

  /** The best place of a chunk: in a usable pack if there is one, else in any that is there. */
  find(id: Uint8Array): ChunkLocation | undefined {
    let found: ChunkLocation | undefined;
    this.#table.find(id, (location) => {
      const flags = this.#flags[location.pack] as number;
      const usable = (flags & PACK_UNUSABLE) === 0;
      if (usable || (found === undefined && (flags & PACK_GONE) === 0)) found = location;
      return usable;
    });
    return found;
  }

  /** Whether any place of a chunk is in a pack that is there and not in `packIds`. */
  isElsewhere(id: Uint8Array, packIds: ReadonlySet<string>): boolean {
    return this.#table.find(
      id,
      (location) => !this.isGone(location.pack) && !packIds.has(this.#packs.idAt(location.pack)),
    );
  }

  /** Calls `visit` with the id of each pack that holds a chunk. */
  forEachPlace(id: Uint8Array, visit: (packId: string) => void): void {
    this.#table.find(id, (location) => {
      visit(this.#packs.idAt(location.pack));
      return false;
    });
  }

  /** Marks exactly these packs as unusable for writers, and those that have gone. */
  setUnusable(packIds: ReadonlySet<string>): void {
    for (const [number, packId] of this.#packs.ids.entries()) {
      const flags = this.#flags[number] as number;
      const unusable = (flags & PACK_GONE) !== 0 || packIds.has(packId);
      this.#flags[number] = unusable ? flags | PACK_UNUSABLE : flags & ~PACK_UNUSABLE;
    }
  }

  /**
   * Writes segments for packs that are durable, then makes their chunks known.
   * @param session the writer's, so that collectors spare its packs while it is at work
   */
  async add(packs: readonly NewPack[], session?: string): Promise<{ bytes: number }> {
    let bytes = 0;
    for (const group of groupByRows(packs)) {
      const segment: IndexSegment = { ...segmentOf(group), ...(session === undefined ? {} : { session }) };
      const keyring = this.#keyring();
      const encoded = encodeIndexSegment(keyring, segment);
      await this.#storage.putNew(encoded.key, encoded.bytes);
      bytes += encoded.bytes.length;
      this.learn(encoded.key, { ...segment, epoch: keyring.currentEpoch });
      freeMemory(segment.rows);
    }
    return { bytes };
  }

  /**
   * Makes a segment known that is in the storage.
   * @param rowsToCome about so many rows of other segments follow: room for all of them at once spares one table after another
   */
  learn(name: string, segment: IndexSegment, rowsToCome = 0): void {
    if (this.#segments.has(name)) return;
    const packs = this.#insert(segment, rowsToCome);
    const { session } = segment;
    this.#segments.set(name, {
      packs,
      rows: segment.rows.length / ROW_LENGTH,
      epoch: segment.epoch ?? this.#keyring().currentEpoch,
      ...(session === undefined ? {} : { session }),
    });
  }

  /** Takes away segments that are not in the storage any more; packs that no other one names are gone with them. */
  unlearn(names: Iterable<string>): void {
    for (const name of names) this.#segments.delete(name);
    const named = new Uint8Array(this.#packs.count);
    for (const { packs } of this.#segments.values()) for (const number of packs) named[number] = 1;
    for (let number = 0; number < named.length; number++)
      if (named[number] === 0) this.#flags[number] = (this.#flags[number] as number) | PACK_GONE | PACK_UNUSABLE;
    const count = this.chunkCount;
    if (this.#table.count > count * 2 + 1024) this.#replaceTable(count);
  }

  async #refresh(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      // What is written while the listing is made may be missing from it.
      const before = [...this.#segments.keys()];
      const listed = await this.#storage.list('index/', { sizes: this.#segments.size === 0 });
      const names = new Set(listed.map(({ key }) => key));
      try {
        await this.#readSegments(listed.filter(({ key }) => !this.#segments.has(key)));
      } catch (error) {
        // A collector merged it between the listing and the reading; what it was merged into is in the next listing.
        if (!(error instanceof HoldfastError) || error.code !== 'object-missing' || attempt >= MOST_LISTINGS)
          throw error;
        continue;
      }
      const vanished = before.filter((name) => !names.has(name));
      if (vanished.length > 0) this.unlearn(vanished);
      return;
    }
  }

  /** One is decoded after another, so that memory holds the rows of one twice and not of all that are read at once. */
  async #readSegments(objects: readonly StoredObject[]): Promise<void> {
    // The largest ones first: they tell best how many rows a byte stands for.
    const sorted = objects.toSorted((a, b) => b.size - a.size || (a.key < b.key ? -1 : 1));
    const read = { bytes: 0, rows: 0 };
    let bytesLeft = sorted.reduce((sum, { size }) => sum + size, 0);
    for (const batch of batchesOf(sorted)) {
      const contents = await Promise.all(batch.map(({ key }) => this.#storage.get(key)));
      for (const [index, { key, size }] of batch.entries()) {
        const segment = decodeIndexSegment(this.#keyring(), key, contents[index] as Buffer);
        read.bytes += size;
        read.rows += segment.rows.length / ROW_LENGTH;
        bytesLeft -= size;
        this.learn(key, segment, Math.ceil((bytesLeft * read.rows) / Math.max(read.bytes, 1)));
      }
    }
  }

  /** @returns the numbers of its packs */
  #insert(segment: IndexSegment, rowsToCome: number): number[] {
    const numbers = segment.packs.map((pack) => this.#numberOf(pack));
    const rows = segment.rows.length / ROW_LENGTH;
    if (!this.#table.hasRoomFor(rows)) {
      const spare = rowsToCome > 0 ? ROOM_WHEN_TOLD : ROOM_WHEN_GROWING;
      this.#replaceTable(Math.ceil((this.#table.count + rows + rowsToCome) * spare));
    }
    this.#table.insertRows(segment.rows, numbers);
    return numbers;
  }

  /** Sessions under way keep the table that they have. */
  #replaceTable(expected: number): void {
    const other = new ChunkTable({ expected });
    this.#table.copyInto(other, (pack) => !this.isGone(pack));
    this.#table = other;
  }

  #numberOf(pack: IndexedPack): number {
    const known = this.#packs.numberOf(pack.idHex);
    if (known !== undefined) {
      // A segment that was taken for lost may come back by a rebuild; whether writers may rely on it, collectors' decisions say.
      this.#flags[known] = (this.#flags[known] as number) & ~PACK_GONE;
      return known;
    }
    const number = this.#packs.add(pack);
    if (number >= this.#flags.length) {
      const larger = new Uint8Array(new SharedArrayBuffer(this.#flags.length * 2));
      larger.set(this.#flags);
      this.#flags = larger;
    }
    this.#flags[number] = pack.header[6] === CIPHER_NONE ? PACK_PLAIN : 0;
    return number;
  }
}

/** Segments that are read at once: many small ones, or about one of the largest. */
const PARALLEL_READS = 8;
const PARALLEL_BYTES = 16 * 1024 * 1024;
/** Rows that a new table has room for, for each one that is known of: it is to hold little more than what was opened. */
const ROOM_WHEN_TOLD = 1.02;
const ROOM_WHEN_GROWING = 1.25;
const MOST_LISTINGS = 10;

function* batchesOf(objects: readonly StoredObject[]): Generator<StoredObject[]> {
  let batch: StoredObject[] = [];
  let bytes = 0;
  for (const object of objects) {
    if (batch.length === PARALLEL_READS || (batch.length > 0 && bytes + object.size > PARALLEL_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(object);
    bytes += object.size;
  }
  if (batch.length > 0) yield batch;
}

/** Whether a pack holds pages of trees and lists rather than content. */
export function holdsMetadata(pack: IndexedPack): boolean {
  return pack.header[5] === PACK_KIND.metadata;
}

function groupByRows(packs: readonly NewPack[]): NewPack[][] {
  const groups: NewPack[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const pack of packs) {
    const own = rowCount(pack);
    if (rows + own > MOST_ROWS) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)?.push(pack);
    rows += own;
  }
  return groups;
}
