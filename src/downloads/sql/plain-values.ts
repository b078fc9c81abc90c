import { BYTE } from './sql-bytes.ts';

/** Bytes between the values of an INSERT, and digits. */
const PLAIN = new Uint8Array(256);
for (const text of [' \t\r\n', '0123456789.', '(),']) for (const byte of Buffer.from(text)) PLAIN[byte] = 1;

/**
 * The way past strings, numbers, parentheses, commas and the word NULL, for MySQL and outside of comments, as fast as can be: rows are nearly all that a dump is.
 * What is not surely one of these, and a string that does not end in these bytes, is left to whoever looks more closely.
 * @returns The first position that was not passed
 */
export function pastPlainValues(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (;;) {
    while (at < end && PLAIN[bytes[at] ?? 0] === 1) at++;
    if (at >= end) return at;
    if (bytes[at] === BYTE.quote) {
      const close = endOfString(bytes, at, end);
      if (close < 0) return at;
      at = close;
    } else if (isNull(bytes, at, end)) at += 4;
    else return at;
  }
}

/**
 * The position after a string with backslashes for escapes that begins with the quote at `from`; -1 where that is not sure within these bytes.
 */
export function endOfString(bytes: Uint8Array, from: number, end: number): number {
  const quote = bytes[from];
  // The byte after a quote tells whether it ends the string.
  const last = end - 1;
  for (let at = from + 1; at < last; at++) {
    const byte = bytes[at];
    if (byte === BYTE.backslash) at++;
    else if (byte === quote) {
      if (bytes[at + 1] !== quote) return at + 1;
      at++;
    }
  }
  return -1;
}

/** NULL in capitals before a comma or the end of a row. */
function isNull(bytes: Uint8Array, at: number, end: number): boolean {
  const isWord = bytes[at] === 0x4e && bytes[at + 1] === 0x55 && bytes[at + 2] === 0x4c && bytes[at + 3] === 0x4c;
  return isWord && at + 4 < end && (bytes[at + 4] === 0x2c || bytes[at + 4] === BYTE.close);
}
