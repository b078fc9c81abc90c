import { BYTE } from './sql-bytes.ts';

/** Finds the end of a string or a quoted name, in bytes that come in any parts. Two quotes within it are one. */
export class QuotedText {
  #quote = 0;
  #hasEscapes = false;
  #after: 'text' | 'backslash' | 'quote' = 'text';

  /** After the quote that begins it. */
  begin(quote: number, hasEscapes: boolean): void {
    this.#quote = quote;
    this.#hasEscapes = hasEscapes;
    this.#after = 'text';
  }

  get quote(): number {
    return this.#quote;
  }

  get hasEscapes(): boolean {
    return this.#hasEscapes;
  }

  /** The position after its end, or -1 while the byte there is not among these. */
  endIn(bytes: Uint8Array, from: number): number {
    const quote = this.#quote;
    const hasEscapes = this.#hasEscapes;
    const end = bytes.length;
    let at = from;
    if (at < end && this.#after !== 'text') {
      if (this.#after === 'quote' && bytes[at] !== quote) return at;
      this.#after = 'text';
      at++;
    }
    for (; at < end; at++) {
      const byte = bytes[at];
      if (byte === quote) {
        if (at + 1 === end) this.#after = 'quote';
        else if (bytes[at + 1] !== quote) return at + 1;
        at++;
      } else if (hasEscapes && byte === BYTE.backslash) {
        if (at + 1 === end) this.#after = 'backslash';
        at++;
      }
    }
    return -1;
  }
}
