import type { Storage } from '../core/ports/storage.ts';
import { type ChunkLocation, ChunkTable } from './chunk-table.ts';
import {
  decodeIndexSegment,
  encodeIndexSegment,
  type IndexedPack,
  type IndexSegment,
  MOST_ROWS,
  ROW_LENGTH,
  segmentOf,
} from './index-segment.ts';
import type { Keyring } from './keyring.ts';
import type { FooterFrame } from './pack-format.ts';
import { PACK_KIND } from './pack-format.ts';
import { CIPHER_NONE } from './record-cipher.ts';

/** Bits of a pack's flags, which worker threads read in shared memory. */
export const PACK_PLAIN = 1;
/** Condemned by a collector, or known to be bad: its chunks count as absent for writers. */
export const PACK_UNUSABLE = 2;

/** The shared memory that a worker needs to look chunks up. */
export interface SharedIndex {
  table: SharedArrayBuffer;
  packFlags: SharedArrayBuffer;
}

/**
 * The index in memory, kept in step with the `index/` objects. What it knows never leads the storage: rows enter after
 * their segment is durable, and a segment that vanished (merged, collected) makes everything be read anew.
 */
export class IndexStore {
  readonly #storage: Storage;
  readonly #keyring: () => Keyring;
  readonly #segments = new Set<string>();
  #packs: IndexedPack[] = [];
  #packNumbers = new Map<string, number>();
  #flags = new Uint8Array(new SharedArrayBuffer(1024));
  #table = new ChunkTable({ expected: 0 });
  #refreshing: Promise<void> | undefined;

  constructor(storage: Storage, keyring: () => Keyring) {
    this.#storage = storage;
    this.#keyring = keyring;
  }

  get shared(): SharedIndex {
    return { table: this.#table.shared, packFlags: this.#flags.buffer as SharedArrayBuffer };
  }
  get chunkCount(): number {
    return this.#table.count;
  }
  get segmentNames(): ReadonlySet<string> {
    return this.#segments;
  }
  get packs(): readonly IndexedPack[] {
    return this.#packs;
  }

  pack(number: number): IndexedPack {
    const pack = this.#packs[number];
    if (pack === undefined) throw new RangeError(`No pack has number ${number}.`);
    return pack;
  }

  /** Reads segments that others wrote since. Concurrent calls share one reading that began after theirs. */
  async refresh(): Promise<void> {
    const running = this.#refreshing;
    if (running !== undefined) await running.catch(() => undefined);
    if (this.#refreshing !== undefined && this.#refreshing !== running) return this.#refreshing;
    const refreshing = this.#refresh().finally(() => {
      if (this.#refreshing === refreshing) this.#refreshing = undefined;
    });
    this.#refreshing = refreshing;
    return refreshing;
  }

  /** The best place of a chunk: in a usable pack if there is one, else in any. */
  find(id: Uint8Array): ChunkLocation | undefined {
    let found: ChunkLocation | undefined;
    this.#table.find(id, (location) => {
      const usable = ((this.#flags[location.pack] as number) & PACK_UNUSABLE) === 0;
      if (usable || found === undefined) found = location;
      return usable;
    });
    return found;
  }

  /** Whether any place of a chunk is in a pack that is not in `packIds`. */
  isElsewhere(id: Uint8Array, packIds: ReadonlySet<string>): boolean {
    return this.#table.find(id, (location) => !packIds.has(this.pack(location.pack).idHex));
  }

  /** Marks exactly these packs as unusable for writers. */
  setUnusable(packIds: ReadonlySet<string>): void {
    for (const [number, pack] of this.#packs.entries()) {
      const flags = this.#flags[number] as number;
      this.#flags[number] = packIds.has(pack.idHex) ? flags | PACK_UNUSABLE : flags & ~PACK_UNUSABLE;
    }
  }

  /** Writes segments for packs that are durable, then makes their chunks known. */
  async add(packs: readonly (IndexedPack & { frames: readonly FooterFrame[] })[]): Promise<{ bytes: number }> {
    let bytes = 0;
    for (const group of groupByRows(packs)) {
      const segment = segmentOf(group);
      const encoded = encodeIndexSegment(this.#keyring(), segment);
      await this.#storage.putNew(encoded.key, encoded.bytes);
      bytes += encoded.bytes.length;
      if (this.#segments.has(encoded.key)) continue;
      this.#segments.add(encoded.key);
      this.#insert(segment);
    }
    return { bytes };
  }

  /** Forgets everything, so that the next refresh reads all segments. */
  clear(): void {
    this.#segments.clear();
    this.#packs = [];
    this.#packNumbers = new Map();
    this.#flags = new Uint8Array(new SharedArrayBuffer(1024));
    this.#table = new ChunkTable({ expected: 0 });
  }

  async #refresh(): Promise<void> {
    const listed = (await this.#storage.list('index/', { sizes: false })).map((object) => object.key);
    const names = new Set(listed);
    if ([...this.#segments].some((name) => !names.has(name))) this.clear();
    const missing = listed.filter((name) => !this.#segments.has(name)).sort();
    for (let at = 0; at < missing.length; at += PARALLEL_READS) {
      const batch = missing.slice(at, at + PARALLEL_READS);
      const segments = await Promise.all(
        batch.map(async (name) => decodeIndexSegment(this.#keyring(), name, await this.#storage.get(name))),
      );
      for (const [index, segment] of segments.entries()) {
        const name = batch[index] as string;
        if (this.#segments.has(name)) continue;
        this.#segments.add(name);
        this.#insert(segment);
      }
    }
  }

  #insert(segment: IndexSegment): void {
    const numbers = segment.packs.map((pack) => this.#numberOf(pack));
    const rows = segment.rows.length / ROW_LENGTH;
    if (!this.#table.hasRoomFor(rows)) {
      const larger = new ChunkTable({ expected: Math.ceil((this.#table.count + rows) * 1.25) });
      this.#table.copyInto(larger);
      this.#table = larger;
    }
    this.#table.insertRows(segment.rows, numbers);
  }

  #numberOf(pack: IndexedPack): number {
    const known = this.#packNumbers.get(pack.idHex);
    if (known !== undefined) return known;
    const number = this.#packs.length;
    if (number >= this.#flags.length) {
      const larger = new Uint8Array(new SharedArrayBuffer(this.#flags.length * 2));
      larger.set(this.#flags);
      this.#flags = larger;
    }
    this.#flags[number] = pack.header[6] === CIPHER_NONE ? PACK_PLAIN : 0;
    this.#packs.push(pack);
    this.#packNumbers.set(pack.idHex, number);
    return number;
  }
}

const PARALLEL_READS = 8;

/** Whether a pack holds pages of trees and lists rather than content. */
export function holdsMetadata(pack: IndexedPack): boolean {
  return pack.header[5] === PACK_KIND.metadata;
}

function groupByRows<Pack extends { frames: readonly FooterFrame[] }>(packs: readonly Pack[]): Pack[][] {
  const groups: Pack[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const pack of packs) {
    const own = pack.frames.reduce((sum, frame) => sum + frame.chunks.length, 0);
    if (rows + own > MOST_ROWS) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)?.push(pack);
    rows += own;
  }
  return groups;
}
