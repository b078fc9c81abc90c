import type { EarlierChunks } from './earlier-chunks.ts';

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
  readonly #chunks: EarlierChunks;
  #shift: number;
  /** Of the chunk at hand, from the beginning of the content that is being cut. */
  #position: number;
  /** Which earlier chunk should begin here; -1 where none does. */
  #next: number;

  constructor(chunks: EarlierChunks, { position, shift }: ExpectedPlace) {
    this.#chunks = chunks;
    this.#shift = shift;
    this.#position = position;
    this.#next = chunks.beginningAt(position - shift);
  }

  /** Where the expectation stands, for another one of the same chunks to go on from. */
  get place(): ExpectedPlace {
    return { position: this.#position, shift: this.#shift };
  }

  /** How long the chunk at hand would be; undefined where nothing is known. */
  get length(): number | undefined {
    return this.#chunks.lengthOf(this.#next);
  }

  /** Whether an id is that of the chunk that is expected here. */
  matches(id: Buffer): boolean {
    return this.#chunks.is(this.#next, id);
  }

  /** Tells that the chunk at hand was cut; the next one follows. */
  passed(id: Buffer, length: number): void {
    if (!this.matches(id)) {
      const place = this.#chunks.placeOf(id);
      if (place !== undefined) this.#shift = this.#position - (this.#chunks.offsetOf(place) as number);
    }
    this.skipped(length);
  }

  /** Tells of bytes that are no chunk. */
  skipped(length: number): void {
    this.#position += length;
    this.#next = this.#chunks.beginningAt(this.#position - this.#shift);
  }
}

/** Bytes. */
export interface ExpectedPlace {
  /** Of the chunk at hand, from the beginning of the content that is being cut. */
  position: number;
  /** How much further back a chunk begins there than in the earlier content. */
  shift: number;
}
