import { BYTE } from '../../sql/sql-bytes.ts';
import { UnreadableRow } from './row-reader.ts';

/** How texts stand in the dump, as its SET NAMES says. */
export type DumpCharset = 'utf8' | 'latin1';

/** What must be known of a column to read and write its values. */
export interface LiteralColumn {
  /** Values are bytes: their text is `\x` and hex. */
  isBinary: boolean;
  /** Values are numbers, and bits and hex are numbers too. */
  isNumber: boolean;
  /** Computed by the server: what a dump has of it is made of originals. */
  isGenerated: boolean;
  /** What its texts can hold, where that is less than Unicode. */
  charset?: 'latin1' | 'ascii';
}

const NUMBER = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/;
const PLAIN_STRING = /^'[^'\\\x80-\xff]*'$/;
/** Printable ASCII without quotes and backslashes. */
const PLAIN_TEXT = /^[ !#-&(-[\]-~]*$/;
/** `_utf8mb4 'text'`, `N'text'`, `x'ff'`, `b'01'`. */
const PREFIXED = /^(?<prefix>_[A-Za-z0-9]+|[nNxXbB])(?<space>[ \t\r\n]*)(?<string>['"][\s\S]*)$/;
/** What a letter behind a backslash stands for; others stand for themselves. */
export const ESCAPED: Readonly<Record<string, string>> = {
  '0': '\0',
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  Z: '\x1a',
  // Only LIKE makes something else of these.
  '%': '\\%',
  _: '\\_',
};
const WRITTEN: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\n': '\\n',
  '\r': '\\r',
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '\x1a': '\\Z',
};

const TO_ESCAPE = new RegExp(`[${Object.keys(WRITTEN).join('').replace('\\', '\\\\')}]`, 'g');

/**
 * The text that transformers get of a value.
 * @param literal In Latin-1, one character for each byte; without space around it
 * @throws UnreadableRow
 */
export function textOfLiteral(literal: string, column: LiteralColumn, charset: DumpCharset): string | null {
  if (PLAIN_STRING.test(literal)) {
    const inner = literal.slice(1, -1);
    return column.isBinary ? hexText(inner) : inner;
  }
  const first = literal.charCodeAt(0);
  if (first === 0x27 || first === 0x22) return textOfString(unescaped(literal), column, charset);
  if (NUMBER.test(literal)) return column.isBinary ? hexText(literal) : literal;
  return textOfWord(literal, column, charset);
}

/** Whether it is a string in single quotes, of ASCII that stands for itself. */
export function isPlainString(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2 || bytes[start] !== BYTE.quote || bytes[end - 1] !== BYTE.quote) return false;
  for (let at = start + 1; at < end - 1; at++) {
    const byte = bytes[at] as number;
    if (byte === BYTE.backslash || byte === BYTE.quote || byte > 127) return false;
  }
  return true;
}

function textOfWord(literal: string, column: LiteralColumn, charset: DumpCharset): string | null {
  const word = literal.length > 5 ? '' : literal.toUpperCase();
  if (word === 'NULL') return null;
  if (word === 'TRUE' || word === 'FALSE') return textOfWord(word === 'TRUE' ? '0x01' : '0x00', column, charset);
  if (/^0x(?:[0-9a-fA-F]{2})+$/.test(literal)) return textOfBytes(fromHex(literal.slice(2)), column);
  if (/^0b[01]+$/.test(literal)) return textOfBytes(fromBits(literal.slice(2)), column);
  const { prefix = '', string } = PREFIXED.exec(literal)?.groups ?? {};
  if (string === undefined) throw new UnreadableRow('it has a value of a kind that is not known');
  const inner = unescaped(string);
  switch (prefix.toLowerCase()) {
    case 'x':
      if (/^(?:[0-9a-fA-F]{2})*$/.test(inner)) return textOfBytes(fromHex(inner), column);
      break;
    case 'b':
      if (/^[01]*$/.test(inner)) return textOfBytes(fromBits(inner), column);
      break;
    case 'n':
    case '_utf8':
    case '_utf8mb3':
    case '_utf8mb4':
    case '_ascii':
    case '_binary':
      return textOfString(inner, column, 'utf8');
    case '_latin1':
      return textOfString(inner, column, 'latin1');
    default:
  }
  throw new UnreadableRow('it has a value of a kind or a character set that is not known');
}

/**
 * What stands in the dump for a text that a rule gave, of the same kind as the literal in whose place it comes where that can be. In Latin-1.
 * @throws UnreadableRow where the column cannot hold the text
 */
export function literalOfText(
  text: string | null,
  original: string,
  column: LiteralColumn,
  charset: DumpCharset,
): string {
  if (text === null) return 'NULL';
  if (column.isBinary) return literalOfBytes(text, original);
  if (NUMBER.test(original) && NUMBER.test(text)) return text;
  if (column.isNumber && NUMBER.test(text) && !original.includes("'")) return text;
  if (PLAIN_TEXT.test(text)) return `${introducerOf(original)}'${text}'`;
  if (/^\p{ASCII}*$/u.test(text)) return `${introducerOf(original)}'${escaped(text)}'`;
  if (column.charset !== undefined && !fits(text, column.charset))
    throw new UnreadableRow(`a rule gives a character that the column's character set (${column.charset}) has not`);
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  if (charset === 'latin1') return `_utf8mb4'${escaped(bytes)}'`;
  return `${introducerOf(original)}'${escaped(bytes)}'`;
}

/** Those of other character sets than UTF-8 do not hold for what is written. */
function introducerOf(original: string): string {
  if (original.charCodeAt(0) !== 0x5f) return '';
  return /^_(?:utf8|utf8mb3|utf8mb4|binary)[ \t\r\n]*(?=')/i.exec(original)?.[0] ?? '';
}

function literalOfBytes(text: string, original: string): string {
  const hex = /^\\x((?:[0-9a-fA-F]{2})*)$/.exec(text)?.[1];
  if (hex === undefined)
    throw new UnreadableRow('a rule gives something that is no bytes (\\x…) for a column of bytes');
  if (/^0[xb]/i.test(original)) return hex === '' ? "''" : `0x${hex.toUpperCase()}`;
  if (/^[xb]/i.test(original)) return `x'${hex}'`;
  return `${introducerOf(original)}'${escaped(Buffer.from(hex, 'hex').toString('latin1'))}'`;
}

function textOfString(bytes: string, column: LiteralColumn, charset: DumpCharset): string {
  if (column.isBinary) return hexText(bytes);
  if (!/[\x80-\xff]/.test(bytes)) return bytes;
  try {
    return DECODERS[charset].decode(Buffer.from(bytes, 'latin1'));
  } catch {
    throw new UnreadableRow('it has a text that is not valid in the character set of the dump');
  }
}

const DECODERS: Readonly<Record<DumpCharset, TextDecoder>> = {
  utf8: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }),
  latin1: new TextDecoder('windows-1252', { fatal: true }),
};

function textOfBytes(bytes: Buffer, column: LiteralColumn): string {
  if (column.isBinary) return `\\x${bytes.toString('hex')}`;
  if (column.isNumber) return bytes.length === 0 ? '0' : BigInt(`0x${bytes.toString('hex')}`).toString();
  return textOfString(bytes.toString('latin1'), column, 'utf8');
}

function hexText(latin1: string): string {
  return `\\x${Buffer.from(latin1, 'latin1').toString('hex')}`;
}

function fromHex(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

function fromBits(bits: string): Buffer {
  const bytes = Math.ceil(bits.length / 8);
  const padded = bits.padStart(bytes * 8, '0');
  return Buffer.from(Array.from({ length: bytes }, (_, at) => Number.parseInt(padded.slice(at * 8, at * 8 + 8), 2)));
}

/** What is in a string's quotes. @throws UnreadableRow where it is not one string and nothing besides */
function unescaped(string: string): string {
  const quote = string.charCodeAt(0);
  const last = string.length - 1;
  let out = '';
  let from = 1;
  let at = 1;
  for (; at < last; at++) {
    const code = string.charCodeAt(at);
    if (code !== BYTE.backslash && code !== quote) continue;
    const next = string.charAt(at + 1);
    if (code === quote && next.charCodeAt(0) !== quote) break;
    out += string.slice(from, at) + (code === quote ? next : (ESCAPED[next] ?? next));
    at++;
    from = at + 1;
  }
  if (at !== last || string.charCodeAt(last) !== quote)
    throw new UnreadableRow('it has a string that is joined of several');
  return out + string.slice(from, last);
}

function escaped(latin1: string): string {
  return latin1.replaceAll(TO_ESCAPE, (character) => WRITTEN[character] ?? character);
}

function fits(text: string, charset: 'latin1' | 'ascii'): boolean {
  return charset === 'latin1' && !/[^\p{ASCII}\u0080-\u00ff€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]/u.test(text);
}
