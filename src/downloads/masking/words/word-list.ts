import { type ViewedBytes, viewed } from '../byte-values.ts';

/** Bytes that are moved in one go. */
const STEP = 8;

/** Words as bytes, to be written without a string of any: each begins at a multiple of the same number, and is written by whole steps. */
export class WordList {
  readonly count: number;
  /** Bytes that `write` may touch. */
  readonly room: number;
  readonly #words: ViewedBytes;
  readonly #lengths: Uint16Array;

  constructor(words: readonly string[]) {
    this.count = words.length;
    this.#lengths = Uint16Array.from(words, (word) => Buffer.byteLength(word));
    this.room = STEP * Math.ceil(Math.max(0, ...this.#lengths) / STEP);
    const bytes = Buffer.alloc(words.length * this.room);
    for (const [index, word] of words.entries()) bytes.write(word, index * this.room);
    this.#words = viewed(bytes);
  }

  /** Writes a word, by its index, from `at` on; the position after it. What stands behind is overwritten. */
  write(word: number, { view }: ViewedBytes, at: number): number {
    const [words, begin, length] = [this.#words.view, word * this.room, this.#lengths[word] as number];
    for (let step = 0; step < length; step += STEP)
      view.setBigInt64(at + step, words.getBigInt64(begin + step, true), true);
    return at + length;
  }
}
