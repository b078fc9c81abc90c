import { ROW_LENGTH } from './index-row.ts';

/** Where a chunk lies. `pack` numbers a pack of this process's list. */
export interface ChunkLocation {
  pack: number;
  frameOffset: number;
  frameLength: number;
  bodyOffset: number;
  length: number;
  /** Where the row is in its table. */
  slot: number;
}

/** Words of a slot: eight of the id, pack + 1 (0 is an empty slot), frame offset, frame length, body offset, length. */
const WORDS = 13;
const PACK_WORD = 8;
/**
 * Slots filled, at most, before a table must be replaced: 52 bytes a slot are then 55 a chunk. A look-up of a new chunk goes over 200
 * slots by then (Knuth, TAOCP 6.4, linear probing), which takes about a microsecond, and there is one for a megabyte of content.
 */
const FULL = 0.95;

/**
 * All known chunks, in memory that worker threads share: open addressing with linear probing over one SharedArrayBuffer, at
 * most 55 bytes a chunk when full. One thread inserts; any number look up meanwhile, because a slot's pack word is written
 * last. A chunk may be in several packs: each is a row of its own.
 */
export class ChunkTable {
  readonly shared: SharedArrayBuffer;
  readonly #words: Uint32Array;
  readonly #capacity: number;
  #count = 0;

  constructor(source: { expected: number } | { shared: SharedArrayBuffer }) {
    this.shared =
      'shared' in source
        ? source.shared
        : new SharedArrayBuffer(Math.max(1024, Math.ceil(source.expected / FULL)) * WORDS * 4);
    this.#words = new Uint32Array(this.shared);
    this.#capacity = this.#words.length / WORDS;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether `more` rows fit. */
  hasRoomFor(more: number): boolean {
    return this.#count + more <= this.#capacity * FULL;
  }

  /** Inserts segment rows (sorted or not); `packNumbers[n]` is this process's number of the segment's pack n. */
  insertRows(rows: Buffer, packNumbers: readonly number[]): void {
    for (let at = 0; at < rows.length; at += ROW_LENGTH) {
      this.#insert(rows, at, (packNumbers[rows.readUInt32BE(at + 32)] as number) + 1);
    }
  }

  /** Calls `visit` with each place of a chunk until it returns true. @returns whether it did */
  find(id: Uint8Array, visit: (location: ChunkLocation) => boolean): boolean {
    const words = this.#words;
    const key = keyOf(id);
    for (let slot = this.#slotOf(key[0] as number); ; slot = slot + 1 === this.#capacity ? 0 : slot + 1) {
      const base = slot * WORDS;
      const pack = Atomics.load(words, base + PACK_WORD);
      if (pack === 0) return false;
      if (this.#matches(base, key)) {
        if (visit(this.#locationAt(slot))) return true;
      }
    }
  }

  /** Slots, filled or not. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Copies the rows of packs that `isWanted`: for a table of another size. */
  copyInto(target: ChunkTable, isWanted: (pack: number) => boolean = () => true): void {
    const words = this.#words;
    for (let base = 0; base < words.length; base += WORDS) {
      const pack = words[base + PACK_WORD] as number;
      if (pack !== 0 && isWanted(pack - 1)) target.#insertWords(words.subarray(base, base + WORDS));
    }
  }

  /** Calls `visit` with each row's slot, pack and length. */
  forEachRow(visit: (slot: number, pack: number, length: number) => void): void {
    const words = this.#words;
    for (let slot = 0, base = 0; base < words.length; slot++, base += WORDS) {
      const pack = Atomics.load(words, base + PACK_WORD);
      if (pack !== 0) visit(slot, pack - 1, words[base + 12] as number);
    }
  }

  /** The row in a slot. */
  rowAt(slot: number): { id: Buffer; location: ChunkLocation } {
    const words = this.#words;
    const base = slot * WORDS;
    const id = Buffer.allocUnsafe(32);
    for (let word = 0; word < 8; word++) id.writeUInt32BE(words[base + word] as number, word * 4);
    return { id, location: this.#locationAt(slot) };
  }

  #locationAt(slot: number): ChunkLocation {
    const words = this.#words;
    const base = slot * WORDS;
    return {
      pack: (words[base + PACK_WORD] as number) - 1,
      frameOffset: words[base + 9] as number,
      frameLength: words[base + 10] as number,
      bodyOffset: words[base + 11] as number,
      length: words[base + 12] as number,
      slot,
    };
  }

  #insert(rows: Buffer, at: number, pack: number): void {
    for (let word = 0; word < 8; word++) scratch[word] = rows.readUInt32BE(at + word * 4);
    scratch[PACK_WORD] = pack;
    for (let word = 9; word < WORDS; word++) scratch[word] = rows.readUInt32BE(at + word * 4);
    this.#insertWords(scratch);
  }

  #insertWords(row: Uint32Array): void {
    const words = this.#words;
    for (let slot = this.#slotOf(row[0] as number); ; slot = slot + 1 === this.#capacity ? 0 : slot + 1) {
      const base = slot * WORDS;
      if (words[base + PACK_WORD] === 0) {
        for (let word = 0; word < WORDS; word++) if (word !== PACK_WORD) words[base + word] = row[word] as number;
        Atomics.store(words, base + PACK_WORD, row[PACK_WORD] as number);
        this.#count++;
        return;
      }
      if (
        words[base + PACK_WORD] === row[PACK_WORD] &&
        words[base + 9] === row[9] &&
        words[base + 11] === row[11] &&
        this.#matches(base, row)
      )
        return;
    }
  }

  #matches(base: number, key: Uint32Array): boolean {
    const words = this.#words;
    for (let word = 0; word < 8; word++) if (words[base + word] !== key[word]) return false;
    return true;
  }

  /** Ids are uniform, so their first word, scaled, is a hash that keeps sorted rows in memory order. */
  #slotOf(first: number): number {
    return Math.floor((first / 4294967296) * this.#capacity);
  }
}

const scratch = new Uint32Array(WORDS);
const keyScratch = new Uint32Array(8);

function keyOf(id: Uint8Array): Uint32Array {
  for (let word = 0, at = 0; word < 8; word++, at += 4) {
    keyScratch[word] =
      (((id[at] as number) << 24) |
        ((id[at + 1] as number) << 16) |
        ((id[at + 2] as number) << 8) |
        (id[at + 3] as number)) >>>
      0;
  }
  return keyScratch;
}
