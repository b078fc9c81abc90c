import { RowFault } from '../../masking/row-fault.ts';

/** Printable ASCII other than the backslash stands for itself. */
const OTHER = /[^ -[\]-~]/;
const ESCAPED = /[\\\b\f\n\r\t\v\0]/g;
const LETTERS: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};
const CHARACTERS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
const ESCAPE = /\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))/gs;
/** How COPY writes NULL. */
export const NULL_FIELD = '\\N';

/**
 * A field of a row of COPY in its text format, UTF-8 as Latin-1 (one character for each byte).
 * @throws Error where the value holds the character NUL, which PostgreSQL has not
 */
export function copyField(value: string | null): string {
  if (value === null) return NULL_FIELD;
  if (!OTHER.test(value)) return value;
  return bytesOf(value.replace(ESCAPED, escaped));
}

/** The value that a field stands for; NULL for `\N`. */
export function copyValue(field: string): string | null {
  if (!OTHER.test(field)) return field;
  if (field === NULL_FIELD) return null;
  return characters(field.includes('\\') ? field.replace(ESCAPE, unescaped) : field);
}

/** UTF-8 as one character for each byte, decoded. */
export function characters(latin1: string): string {
  return isAscii(latin1) ? latin1 : Buffer.from(latin1, 'latin1').toString('utf8');
}

/** Characters as UTF-8, one character for each byte. */
export function bytesOf(value: string): string {
  return isAscii(value) ? value : Buffer.from(value, 'utf8').toString('latin1');
}

function isAscii(value: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole range is meant
  return !/[^\x00-\x7f]/.test(value);
}

function escaped(character: string): string {
  const written = LETTERS[character];
  if (written === undefined)
    throw new RowFault(0, 'a rule gave a value with the character NUL, which PostgreSQL has not');
  return written;
}

/** COPY reads a backslash before any other character as that character. */
function unescaped(_all: string, octal?: string, hex?: string, other?: string): string {
  if (other !== undefined) return CHARACTERS[other] ?? other;
  return String.fromCharCode((octal === undefined ? Number.parseInt(hex ?? '', 16) : Number.parseInt(octal, 8)) & 0xff);
}
