/** Words as bytes that lie one behind the other, to be written without a string of any. */
export class WordList {
  readonly count: number;
  /** Bytes of the longest one. */
  readonly longest: number;
  readonly #bytes: Buffer;
  readonly #ends: Int32Array;

  constructor(words: readonly string[]) {
    this.count = words.length;
    this.#bytes = Buffer.from(words.join(''));
    let end = 0;
    this.#ends = Int32Array.from(words, (word) => {
      end += Buffer.byteLength(word);
      return end;
    });
    this.longest = words.reduce((most, word) => Math.max(most, Buffer.byteLength(word)), 0);
  }

  /** Writes a word, by its index, from `at` on; the position after it. */
  write(word: number, out: Uint8Array, at: number): number {
    const [bytes, ends] = [this.#bytes, this.#ends];
    const end = ends[word] as number;
    let place = at;
    for (let from = word === 0 ? 0 : (ends[word - 1] as number); from < end; from++)
      out[place++] = bytes[from] as number;
    return place;
  }
}
