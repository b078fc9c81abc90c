/** Bytes that mean something in SQL. */
export const BYTE = {
  tab: 0x09,
  newline: 0x0a,
  carriageReturn: 0x0d,
  space: 0x20,
  exclamation: 0x21,
  doubleQuote: 0x22,
  hash: 0x23,
  dollar: 0x24,
  quote: 0x27,
  open: 0x28,
  close: 0x29,
  star: 0x2a,
  plus: 0x2b,
  dash: 0x2d,
  dot: 0x2e,
  slash: 0x2f,
  colon: 0x3a,
  semicolon: 0x3b,
  backslash: 0x5c,
  backquote: 0x60,
  delete: 0x7f,
  capitalM: 0x4d,
  openBrace: 0x7b,
} as const;

const [SPACE, WORD_START, DIGIT] = [1, 2, 4];
const CLASSES = new Uint8Array(256);
for (const byte of [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]) CLASSES[byte] = SPACE;
for (let byte = 0x30; byte <= 0x39; byte++) CLASSES[byte] = DIGIT;
for (let byte = 0x41; byte <= 0x5a; byte++) CLASSES[byte] = CLASSES[byte + 0x20] = WORD_START;
for (let byte = 0x80; byte <= 0xff; byte++) CLASSES[byte] = WORD_START;
CLASSES[0x5f] = WORD_START;

export function isSpace(byte: number): boolean {
  return CLASSES[byte] === SPACE;
}

export function isDigit(byte: number): boolean {
  return CLASSES[byte] === DIGIT;
}

/** A letter, an underscore, or any byte of a character beyond ASCII. */
export function isWordStart(byte: number): boolean {
  return CLASSES[byte] === WORD_START;
}

/** What a name may go on with, the dollar sign apart. */
export function isWordByte(byte: number): boolean {
  return ((CLASSES[byte] ?? 0) & (WORD_START | DIGIT)) !== 0;
}
