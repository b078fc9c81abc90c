/** The letters of a word that comes in parts: the beginning, or of a word that is longer than any that matters how it ends. */
export class ScannedWord {
  /** Bytes as characters of the same codes. */
  letters = '';
  /** Bytes of the whole word. */
  length = 0;
  readonly #holdsEnd: boolean;

  /** @param holdsEnd of a word that is too long, the end is held instead of the beginning */
  constructor({ holdsEnd }: { holdsEnd: boolean }) {
    this.#holdsEnd = holdsEnd;
  }

  begin(): void {
    this.letters = '';
    this.length = 0;
  }

  /** @param isWanted whether more than the first letter matters */
  add(bytes: Uint8Array, from: number, to: number, isWanted: boolean): void {
    const length = this.length + to - from;
    if (this.#holdsEnd && length > LONGEST) {
      // A blob in hex is a long word: its letters one by one would be most of the work.
      const last = Buffer.from(bytes.subarray(Math.max(from, to - HELD_END), to)).toString('latin1');
      this.letters = `${this.letters}${last}`.slice(-HELD_END);
    } else if (isWanted && this.length < LONGEST)
      for (let at = from; at < Math.min(to, from + LONGEST); at++) this.letters += String.fromCharCode(bytes[at] ?? 0);
    else if (this.length === 0) this.letters = String.fromCharCode(bytes[from] ?? 0);
    this.length = length;
  }
}

const LONGEST = 1000;
/** Two bytes at most for each letter of DELIMITER, the longest word of which the end matters. */
const HELD_END = 2 * 'delimiter'.length;
