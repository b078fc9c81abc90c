import type { ExpectedContent } from '../core/ports/repository.ts';

/**
 * Guesses where the next chunk ends, from the chunks of an earlier content, and takes no guess that is not right.
 *
 * The chunker is a function of the bytes from a chunk's start on. Let a chunk of the earlier content have the id X and the
 * length L, and let the bytes at hand, from a chunk's start on, hash to X over L bytes: they are that chunk's bytes then, as far as
 * anything can be known of ids at all. The earlier chunk was made by the same chunker, so no cut lies before its end: it would have
 * been cut there. Whether its end is one of the chunker's own, and not merely where the earlier content (a part of it that was
 * read by itself, a run before a hole) ended, is asked of the chunker (`endsAt`). If it is, or the new content ends there as well,
 * `Chunker.find` would give this very cut, and needs not to look. Nothing is presumed of where the guess comes from: with any list whose chunks this repository's
 * chunker made, contents are cut as they are without one.
 *
 * A position in the new content is that in the earlier one and a shift, which is learnt again from each chunk that the
 * earlier content holds elsewhere, so that guesses go on behind what was inserted, removed or moved.
 */
export class ExpectedCuts {
  readonly #ids: Uint8Array[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  #places: Map<string, number> | undefined;
  #shift: number;
  /** Of the chunk at hand, from the beginning of the content that is being cut. */
  #position = 0;
  /** Which earlier chunk should begin here; -1 where none does. */
  #next: number;

  constructor({ segments, offset }: ExpectedContent) {
    let at = 0;
    for (const { id, length } of segments) {
      // A chunk of no bytes would be expected again behind itself, for ever.
      if (id !== null && length > 0) {
        this.#ids.push(id);
        this.#offsets.push(at);
        this.#lengths.push(length);
      }
      at += length;
    }
    this.#shift = offset;
    this.#next = this.#beginningAt(-offset);
  }

  /** How long the chunk at hand would be; undefined where nothing is known. */
  get length(): number | undefined {
    return this.#lengths[this.#next];
  }

  /** Whether an id is that of the chunk that is expected here. */
  matches(id: Buffer): boolean {
    const expected = this.#ids[this.#next];
    return expected !== undefined && id.equals(expected);
  }

  /** Tells that the chunk at hand was cut; the next one follows. */
  passed(id: Buffer, length: number): void {
    if (!this.matches(id)) {
      const place = this.#placeOf(id);
      if (place !== undefined) this.#shift = this.#position - (this.#offsets[place] as number);
    }
    this.skipped(length);
  }

  /** Tells of bytes that are no chunk. */
  skipped(length: number): void {
    this.#position += length;
    this.#next = this.#beginningAt(this.#position - this.#shift);
  }

  #beginningAt(offset: number): number {
    let low = 0;
    let high = this.#offsets.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.#offsets[middle] as number;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Of chunks that come again and again, the first place: others are likely to follow it. */
  #placeOf(id: Buffer): number | undefined {
    if (this.#places === undefined) {
      this.#places = new Map();
      for (let index = this.#ids.length - 1; index >= 0; index--) this.#places.set(nameOf(this.#ids[index]), index);
    }
    return this.#places.get(nameOf(id));
  }
}

function nameOf(id: Uint8Array | undefined): string {
  return id === undefined ? '' : Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
}
