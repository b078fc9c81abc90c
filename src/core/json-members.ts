import { HoldfastError } from './errors.ts';
import { checkJsonBytes, type JsonLimits, readJsonDocument } from './json-document.ts';
import { isJsonSpace, skipJsonSpace, skipString } from './json-scan.ts';

/**
 * Splits a JSON object into its members without parsing what they hold, so that a large member can be handed on as it came.
 * Each member's bytes (a view, not a copy) must still be read with `readJsonDocument`: only the outermost level was checked.
 *
 * @throws HoldfastError as `readJsonDocument` does, and `document-not-an-object` (invalid)
 */
export function readJsonMembers(bytes: Uint8Array, limits: JsonLimits): Map<string, Uint8Array> {
  checkJsonBytes(bytes, limits.limitBytes);
  if (bytes[skipJsonSpace(bytes, 0)] !== OPEN_BRACE) throw notAnObject(bytes, limits);
  const members = new Map<string, Uint8Array>();
  const end = splitMembers(bytes, members);
  if (end === undefined || skipJsonSpace(bytes, end) !== bytes.byteLength) throw undivided(bytes, limits);
  return members;
}

/** @returns the offset behind the object, or undefined where the text is no object at its outermost level */
function splitMembers(bytes: Uint8Array, members: Map<string, Uint8Array>): number | undefined {
  let at = skipJsonSpace(bytes, skipJsonSpace(bytes, 0) + 1);
  if (bytes[at] === CLOSE_BRACE) return at + 1;
  for (;;) {
    if (bytes[at] !== QUOTE) return undefined;
    const nameEnd = skipString(bytes, at);
    const name = readName(bytes.subarray(at, nameEnd));
    const colon = skipJsonSpace(bytes, nameEnd);
    if (name === undefined || members.has(name) || bytes[colon] !== COLON) return undefined;
    const start = skipJsonSpace(bytes, colon + 1);
    const end = skipValue(bytes, start);
    if (end === start) return undefined;
    members.set(name, bytes.subarray(start, end));
    at = skipJsonSpace(bytes, end);
    if (bytes[at] === CLOSE_BRACE) return at + 1;
    if (bytes[at] !== COMMA) return undefined;
    at = skipJsonSpace(bytes, at + 1);
  }
}

function readName(quoted: Uint8Array): string | undefined {
  try {
    const name: unknown = JSON.parse(Buffer.from(quoted).toString());
    return typeof name === 'string' && name.isWellFormed() ? name : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @returns the offset of the first byte that does not belong to the value any more */
function skipValue(bytes: Uint8Array, start: number): number {
  let depth = 0;
  let at = start;
  while (at < bytes.byteLength) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      at = skipString(bytes, at);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      at++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at;
      depth--;
      at++;
    } else if (depth === 0 && (byte === COMMA || isJsonSpace(byte))) {
      return at;
    } else {
      at++;
    }
  }
  return at;
}

function notAnObject(bytes: Uint8Array, limits: JsonLimits): HoldfastError {
  return (
    faultOf(bytes, limits) ??
    new HoldfastError('invalid', 'document-not-an-object', 'The body must be a JSON object: { "name": value, … }.')
  );
}

function undivided(bytes: Uint8Array, limits: JsonLimits): HoldfastError {
  return (
    faultOf(bytes, limits) ??
    new HoldfastError('internal', 'document-undiagnosed', 'The document is faulty in a way that Holdfast cannot name.')
  );
}

/** Why a text that could not be split is no acceptable document, found by reading it whole. */
function faultOf(bytes: Uint8Array, limits: JsonLimits): HoldfastError | undefined {
  try {
    readJsonDocument(bytes, limits);
    return undefined;
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
