/** What one pass over a JSON text's bytes shows before anything is parsed. */
export interface JsonScan {
  /** Offset of the bracket that opened one level too many; the scan ends there. */
  tooDeepAt?: number;
  /** Colons outside strings: in a valid text, the number of members of all its objects. */
  members: number;
  /** A number literal occurs whose value a double cannot hold. */
  exactNumbers: boolean;
  /** A member's name is written with an escape sequence. */
  escapedNames: boolean;
  /** An escaped half of a surrogate pair occurs without its other half. */
  loneSurrogates: boolean;
}

/**
 * Scans JSON text without parsing it. Valid texts are described exactly; for others the answer means little, but it is
 * given in one pass, without recursion and without an exception, so that a parser may be asked after it.
 */
export function scanJson(text: Uint8Array, depthLimit: number): JsonScan {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const scan: JsonScan = { members: 0, exactNumbers: false, escapedNames: false, loneSurrogates: false };
  const { length } = bytes;
  let depth = 0;
  let at = 0;
  let lastString = 0;
  while (at < length) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      lastString = at;
      at = skipString(bytes, at, scan);
    } else if (byte === COLON) {
      scan.members++;
      if (!scan.escapedNames) scan.escapedNames = hasEscape(bytes, lastString, at);
      at++;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > depthLimit) {
        scan.tooDeepAt = at;
        return scan;
      }
      at++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      at++;
    } else if (byte === MINUS || isDigit(byte)) {
      at = skipNumber(bytes, at, scan);
    } else {
      at++;
    }
  }
  return scan;
}

/**
 * @param start offset of the opening quote
 * @returns offset behind the closing quote, or the text's length where there is none
 */
export function skipString(bytes: Uint8Array, start: number, scan?: JsonScan): number {
  const { length } = bytes;
  let at = start + 1;
  while (at < length) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at + 1;
    if (byte !== BACKSLASH) {
      at++;
    } else {
      const unit = escapedUnit(bytes, at);
      if (unit >= 0xd800 && unit <= 0xdfff) at = skipSurrogates(bytes, at, unit, scan);
      else at += 2;
    }
  }
  return length;
}

/** @returns offset of the first byte at or after `start` that is no white space */
export function skipJsonSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.byteLength && isJsonSpace(bytes[at] as number)) at++;
  return at;
}

export function isJsonSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function hasEscape(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at] === BACKSLASH) return true;
  }
  return false;
}

/** True if `literal` says a value that becomes the same again when a double of it is written in the shortest way. */
export function isExactInDouble(literal: string): boolean {
  const value = Number(literal);
  if (!Number.isFinite(value)) return false;
  const shortest = String(value);
  return shortest === literal || sameDecimal(shortest, literal);
}

/** Any decimal of up to 15 significant digits survives a double and back (IEEE 754, DBL_DIG). */
const SAFE_DIGITS = 15;

function skipNumber(bytes: Buffer, start: number, scan: JsonScan): number {
  let at = start;
  let digits = 0;
  let exponent = false;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (isDigit(byte)) digits++;
    else if (byte === UPPER_E || byte === LOWER_E) exponent = true;
    else if (byte !== DOT && byte !== MINUS && byte !== PLUS) break;
  }
  if ((exponent || digits > SAFE_DIGITS) && !scan.exactNumbers) {
    scan.exactNumbers = !isExactInDouble(bytes.toString('latin1', start, at));
  }
  return at;
}

/** @returns the code unit of a `\uXXXX` escape, or -1 for any other escape */
function escapedUnit(bytes: Uint8Array, backslash: number): number {
  if (bytes[backslash + 1] !== LOWER_U || backslash + 6 > bytes.length) return -1;
  let unit = 0;
  for (let at = backslash + 2; at < backslash + 6; at++) {
    const digit = hexadecimalDigit(bytes[at] as number);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

function skipSurrogates(bytes: Uint8Array, at: number, unit: number, scan: JsonScan | undefined): number {
  const next = bytes[at + 6] === BACKSLASH ? escapedUnit(bytes, at + 6) : -1;
  if (unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) return at + 12;
  if (scan !== undefined) scan.loneSurrogates = true;
  return at + 6;
}

function sameDecimal(left: string, right: string): boolean {
  const a = decimal(left);
  const b = decimal(right);
  return a.digits === b.digits && (a.digits === '' || (a.exponent === b.exponent && a.negative === b.negative));
}

/** A number literal as 0.DIGITS × 10^exponent, without zeros at either end; `digits` is empty for zero. */
function decimal(literal: string): { negative: boolean; digits: string; exponent: number } {
  const [mantissa = '', power = '0'] = literal.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const all = whole + fraction;
  const significant = all.replace(/^0+/, '');
  return {
    negative: mantissa.startsWith('-'),
    digits: withoutTrailingZeros(significant),
    exponent: Number(power) + whole.length - (all.length - significant.length),
  };
}

/** A loop, because `/0+$/` takes quadratic time on long runs of zeros. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === ZERO) end--;
  return digits.slice(0, end);
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function hexadecimalDigit(byte: number): number {
  if (isDigit(byte)) return byte - ZERO;
  const lower = byte | 0x20;
  return lower >= LOWER_A && lower <= LOWER_F ? lower - LOWER_A + 10 : -1;
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const UPPER_E = 0x45;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LOWER_A = 0x61;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_U = 0x75;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
