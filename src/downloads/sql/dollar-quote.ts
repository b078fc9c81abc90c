import { notSealable } from './not-sealable.ts';
import { BYTE, isDigit, isWordByte, isWordStart } from './sql-bytes.ts';

/** A string of PostgreSQL between two tags such as `$$` or `$body$`, in bytes that come in any parts. */
export class DollarQuote {
  #tag = '$';
  #matched = 0;

  /** After the first dollar sign. */
  begin(): void {
    this.#tag = '$';
    this.#matched = 0;
  }

  /**
   * Takes the byte after a dollar sign, and those after it: `more` of the tag, its `end`, or the number of a parameter.
   * @throws HoldfastError `dump-not-sealable` for a dollar sign that begins neither
   */
  tagByte(byte: number): 'more' | 'end' | 'parameter' {
    const isFirst = this.#tag.length === 1;
    if (isFirst && isDigit(byte)) return 'parameter';
    const isOfTag = isFirst ? isWordStart(byte) : isWordByte(byte);
    if (byte !== BYTE.dollar && (!isOfTag || this.#tag.length > 200))
      throw notSealable('a dollar sign stands where it begins neither a string nor a parameter');
    this.#tag += String.fromCharCode(byte);
    return byte === BYTE.dollar ? 'end' : 'more';
  }

  /** The position after the second tag, or -1 if it is not in these bytes. */
  endIn(bytes: Uint8Array, from: number): number {
    const tag = this.#tag;
    let matched = this.#matched;
    for (let at = from; at < bytes.length; at++) {
      if (matched === 0) {
        at = bytes.indexOf(BYTE.dollar, at);
        if (at < 0) break;
        matched = 1;
        continue;
      }
      const byte = bytes[at];
      if (byte === tag.charCodeAt(matched)) matched++;
      // Within a tag there is no dollar sign, so one that does not fit can only be the first of the next try.
      else matched = byte === BYTE.dollar ? 1 : 0;
      if (matched === tag.length) return at + 1;
    }
    this.#matched = matched;
    return -1;
  }
}
