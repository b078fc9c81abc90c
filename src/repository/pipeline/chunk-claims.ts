/**
 * Which new chunks of one snapshot some worker thread has taken on, in memory that all of them share, so that a chunk met by
 * two threads is stored once. A claim keeps the first 128 bits of an id. Claims only save work: where one is missed (a race,
 * a full table) the chunk is stored twice, and both places are good.
 *
 * Levels of doubling size lie one after another in a growable SharedArrayBuffer; the newest takes the new claims.
 */
export class ChunkClaims {
  readonly shared: SharedArrayBuffer;
  readonly #header: Int32Array;
  readonly #levels: Int32Array[] = [];

  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(bytesFor(1), { maxByteLength: bytesFor(MOST_LEVELS) });
    this.#header = new Int32Array(this.shared, 0, HEADER_WORDS);
    if (shared === undefined) Atomics.store(this.#header, LEVELS, 1);
  }

  /** @returns true if the caller is the first to ask for this id and must store the chunk */
  claim(id: Uint8Array): boolean {
    const a = wordOf(id, 0);
    const b = wordOf(id, 4);
    const c = wordOf(id, 8);
    const d = wordOf(id, 12);
    const levels = Atomics.load(this.#header, LEVELS);
    for (let level = 0; level < levels - 1; level++) if (find(this.#level(level), a, b, c, d)) return false;
    const top = levels - 1;
    const outcome = insert(this.#level(top), a, b, c, d);
    if (outcome === 'taken') return false;
    if (outcome === 'inserted' && Atomics.add(this.#header, FIRST_COUNT + top, 1) > slotsOf(top) / 2)
      this.#grow(levels);
    if (outcome === 'full') this.#grow(levels);
    return true;
  }

  #level(level: number): Int32Array {
    let words = this.#levels[level];
    if (words === undefined) {
      words = new Int32Array(this.shared, offsetOf(level), slotsOf(level) * WORDS);
      this.#levels[level] = words;
    }
    return words;
  }

  #grow(levels: number): void {
    if (levels >= MOST_LEVELS) return;
    const needed = bytesFor(levels + 1);
    try {
      if (this.shared.byteLength < needed) this.shared.grow(needed);
    } catch (error) {
      // Another thread grew it further in the meantime.
      if (!(error instanceof RangeError) || this.shared.byteLength < needed) throw error;
    }
    Atomics.compareExchange(this.#header, LEVELS, levels, levels + 1);
  }
}

const WORDS = 5;
const EMPTY = 0;
const BUSY = 1;
const FULL = 2;
const FIRST_SLOTS = 16_384;
const MOST_LEVELS = 12;
const LEVELS = 0;
const FIRST_COUNT = 1;
const HEADER_WORDS = 64;
const LONGEST_PROBE = 128;

function slotsOf(level: number): number {
  return FIRST_SLOTS * 2 ** level;
}
function offsetOf(level: number): number {
  return HEADER_WORDS * 4 + FIRST_SLOTS * (2 ** level - 1) * WORDS * 4;
}
function bytesFor(levels: number): number {
  return offsetOf(levels);
}

function wordOf(id: Uint8Array, at: number): number {
  return (
    ((id[at] as number) << 24) | ((id[at + 1] as number) << 16) | ((id[at + 2] as number) << 8) | (id[at + 3] as number)
  );
}

function find(words: Int32Array, a: number, b: number, c: number, d: number): boolean {
  const mask = words.length / WORDS - 1;
  let slot = a & mask;
  for (let probe = 0; probe < LONGEST_PROBE; probe++, slot = (slot + 1) & mask) {
    const base = slot * WORDS;
    if (Atomics.load(words, base) === EMPTY) return false;
    if (words[base + 1] === a && words[base + 2] === b && words[base + 3] === c && words[base + 4] === d) return true;
  }
  return false;
}

function insert(words: Int32Array, a: number, b: number, c: number, d: number): 'inserted' | 'taken' | 'full' {
  const mask = words.length / WORDS - 1;
  let slot = a & mask;
  for (let probe = 0; probe < LONGEST_PROBE; probe++, slot = (slot + 1) & mask) {
    const base = slot * WORDS;
    if (Atomics.compareExchange(words, base, EMPTY, BUSY) === EMPTY) {
      words[base + 1] = a;
      words[base + 2] = b;
      words[base + 3] = c;
      words[base + 4] = d;
      Atomics.store(words, base, FULL);
      return 'inserted';
    }
    for (let spin = 0; spin < 10_000 && Atomics.load(words, base) === BUSY; spin++);
    if (words[base + 1] === a && words[base + 2] === b && words[base + 3] === c && words[base + 4] === d)
      return 'taken';
  }
  return 'full';
}
