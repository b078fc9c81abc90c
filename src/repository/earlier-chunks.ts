import type { ContentSegment } from '../core/tree-entry.ts';

/**
 * The list of chunks of an earlier content, in one block of memory that threads can share: 60 bytes a chunk, where objects would take
 * several hundred. Holes are left out; they only move what follows.
 */
export class EarlierChunks {
  readonly memory: ArrayBufferLike;
  readonly #count: number;
  readonly #offsets: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #ids: Buffer;
  /** Open addressing; a place's number and one, or 0. */
  readonly #places: Uint32Array;

  /** @param memory of another one's */
  constructor(memory: ArrayBufferLike) {
    this.memory = memory;
    this.#count = new Float64Array(memory, 0, 1)[0] ?? 0;
    const layout = layoutOf(this.#count);
    this.#offsets = new Float64Array(memory, HEADER_BYTES, this.#count);
    this.#lengths = new Uint32Array(memory, layout.lengths, this.#count);
    this.#places = new Uint32Array(memory, layout.places, layout.slots);
    this.#ids = Buffer.from(memory, layout.ids, this.#count * ID_LENGTH);
  }

  static of(segments: Iterable<ContentSegment>): EarlierChunks {
    const list = new ChunkList();
    for (const segment of segments) list.add(segment);
    return new EarlierChunks(list.fill((bytes) => new ArrayBuffer(bytes)));
  }

  /** In memory for other threads as well. Of a longer list only the first 500,000 chunks, some 500 GB, are kept. */
  static async shared(segments: AsyncIterable<ContentSegment>): Promise<EarlierChunks> {
    const list = new ChunkList();
    for await (const segment of segments) {
      list.add(segment);
      if (list.count === MOST_CHUNKS) break;
    }
    return new EarlierChunks(list.fill((bytes) => new SharedArrayBuffer(bytes)));
  }

  /** bytes; undefined where there is no such chunk */
  lengthOf(place: number): number | undefined {
    return this.#lengths[place];
  }

  /** bytes from the beginning of the content */
  offsetOf(place: number): number | undefined {
    return this.#offsets[place];
  }

  is(place: number, id: Uint8Array): boolean {
    return (
      place >= 0 &&
      place < this.#count &&
      this.#ids.compare(id, 0, ID_LENGTH, place * ID_LENGTH, (place + 1) * ID_LENGTH) === 0
    );
  }

  /** Which chunk begins at this offset; -1 where none does. */
  beginningAt(offset: number): number {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#offsets[middle] as number;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Where a chunk is. Of chunks that come again and again, the first place: others are likely to follow it. */
  placeOf(id: Uint8Array): number | undefined {
    const slot = slotFor(this.#places, id, (place) => this.is(place, id));
    const found = this.#places[slot] ?? 0;
    return found === 0 ? undefined : found - 1;
  }
}

/** Gathers chunks in memory that grows. */
class ChunkList {
  count = 0;
  #offsets = new Float64Array(64);
  #lengths = new Uint32Array(64);
  #ids = Buffer.alloc(64 * ID_LENGTH);
  #at = 0;

  add({ id, length }: ContentSegment): void {
    // A chunk of no bytes would be expected again behind itself, for ever.
    if (id !== null && length > 0) {
      if (this.count === this.#lengths.length) this.#grow();
      this.#offsets[this.count] = this.#at;
      this.#lengths[this.count] = length;
      this.#ids.set(id, this.count * ID_LENGTH);
      this.count++;
    }
    this.#at += length;
  }

  fill(allocate: (bytes: number) => ArrayBufferLike): ArrayBufferLike {
    const { count } = this;
    const layout = layoutOf(count);
    const memory = allocate(layout.bytes);
    new Float64Array(memory, 0, 1)[0] = count;
    new Float64Array(memory, HEADER_BYTES, count).set(this.#offsets.subarray(0, count));
    new Uint32Array(memory, layout.lengths, count).set(this.#lengths.subarray(0, count));
    const ids = Buffer.from(memory, layout.ids, count * ID_LENGTH);
    ids.set(this.#ids.subarray(0, count * ID_LENGTH));
    const places = new Uint32Array(memory, layout.places, layout.slots);
    for (let place = 0; place < count; place++) {
      const id = ids.subarray(place * ID_LENGTH, (place + 1) * ID_LENGTH);
      const slot = slotFor(places, id, (other) => ids.subarray(other * ID_LENGTH, (other + 1) * ID_LENGTH).equals(id));
      if (places[slot] === 0) places[slot] = place + 1;
    }
    return memory;
  }

  #grow(): void {
    const offsets = new Float64Array(this.#offsets.length * 2);
    offsets.set(this.#offsets);
    const lengths = new Uint32Array(this.#lengths.length * 2);
    lengths.set(this.#lengths);
    const ids = Buffer.alloc(this.#ids.length * 2);
    ids.set(this.#ids);
    this.#offsets = offsets;
    this.#lengths = lengths;
    this.#ids = ids;
  }
}

/** The slot that holds the place of an id, or the empty one where it would be. Ids are as good as random. */
function slotFor(places: Uint32Array, id: Uint8Array, isIt: (place: number) => boolean): number {
  const mask = places.length - 1;
  let slot = ((id[0] as number) | ((id[1] as number) << 8) | ((id[2] as number) << 16)) & mask;
  while (places[slot] !== 0 && !isIt((places[slot] as number) - 1)) slot = (slot + 1) & mask;
  return slot;
}

function layoutOf(count: number) {
  const slots = 2 ** Math.ceil(Math.log2(2 * count + 2));
  const lengths = HEADER_BYTES + count * 8;
  const places = lengths + count * 4;
  const ids = places + slots * 4;
  return { lengths, places, slots, ids, bytes: ids + count * ID_LENGTH };
}

const HEADER_BYTES = 8;
const ID_LENGTH = 32;
const MOST_CHUNKS = 500_000;
