import { notSealable } from './not-sealable.ts';
import { BYTE } from './sql-bytes.ts';

/** Whether a backslash keeps the quote behind it from ending the text; `uncertain` where clients disagree. */
export type Escapes = 'yes' | 'no' | 'uncertain';

/** Finds the end of a string or a quoted name, in bytes that come in any parts. Two quotes within it are one. */
export class QuotedText {
  #quote = 0;
  #escapes: Escapes = 'no';
  /** What was last in the bytes before these, where that matters. */
  #after: 'text' | 'backslash' | 'quote' = 'text';

  /** After the quote that begins it. */
  begin(quote: number, escapes: Escapes): void {
    this.#quote = quote;
    this.#escapes = escapes;
    this.#after = 'text';
  }

  get quote(): number {
    return this.#quote;
  }

  get hasEscapes(): boolean {
    return this.#escapes === 'yes';
  }

  /**
   * The position after its end, or -1 while the byte there is not among these.
   * @throws HoldfastError `dump-not-sealable`
   */
  endIn(bytes: Uint8Array, from: number): number {
    const quote = this.#quote;
    const hasEscapes = this.#escapes !== 'no';
    const end = bytes.length;
    let at = from;
    if (at < end && this.#after !== 'text') {
      if (this.#after === 'quote' && bytes[at] !== quote) return at;
      at = this.#after === 'quote' ? at + 1 : this.#afterBackslash(bytes[at], at);
      this.#after = 'text';
    }
    for (; at < end; at++) {
      const byte = bytes[at];
      if (byte === quote) {
        if (at + 1 === end) this.#after = 'quote';
        else if (bytes[at + 1] !== quote) return at + 1;
        at++;
      } else if (hasEscapes && byte === BYTE.backslash) {
        if (at + 1 === end) this.#after = 'backslash';
        else at = this.#afterBackslash(bytes[at + 1], at + 1) - 1;
      }
    }
    return -1;
  }

  /** Where the text goes on when this byte follows a backslash. */
  #afterBackslash(byte: number | undefined, at: number): number {
    if (this.#escapes === 'yes') return at + 1;
    if (byte === this.#quote)
      throw notSealable('a quoted name has a backslash before a quote, and clients disagree about its end');
    return at;
  }
}
