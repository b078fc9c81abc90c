import { constants, isAscii, isUtf8 } from 'node:buffer';
import { HoldfastError } from './errors.ts';
import { readJsonText } from './json-reader.ts';
import { type JsonScan, scanJson, skipJsonSpace } from './json-scan.ts';
import type { JsonValue } from './json-value.ts';

/** Nesting that everything which reads or writes documents can do on an ordinary stack, whatever is configured. */
export const DEEPEST_DOCUMENT = 1000;

export interface JsonLimits {
  /** Bytes of the text. */
  limitBytes: number;
  /** Levels of arrays and objects; at most `DEEPEST_DOCUMENT` counts. */
  depthLimit: number;
}

/**
 * Reads strict JSON (RFC 8259) in UTF-8: one value, no byte order mark, no name twice in an object, no half of a surrogate
 * pair. Nothing is changed silently: a number that a double cannot hold comes as an `ExactNumber`, `__proto__` as a member
 * like any other.
 *
 * @throws HoldfastError `document-too-large` (too-large); `document-empty`, `document-byte-order-mark`,
 * `document-not-utf-8`, `document-too-deep`, `document-syntax`, `document-duplicate-key`, `document-lone-surrogate`
 * (invalid), with the position in the message and in `details`
 */
export function readJsonDocument(bytes: Uint8Array, limits: JsonLimits): JsonValue {
  checkJsonBytes(bytes, limits.limitBytes);
  const scan = scanJson(bytes, Math.min(limits.depthLimit, DEEPEST_DOCUMENT));
  if (scan.tooDeepAt !== undefined) throw tooDeep(scan.tooDeepAt, Math.min(limits.depthLimit, DEEPEST_DOCUMENT));
  const text = decode(bytes);
  const value = parseFast(text, scan);
  return value === undefined || countMembers(value) !== scan.members ? readJsonText(text) : value;
}

/**
 * Reads canonical text that Holdfast wrote itself, of any size and without most checks for what it never writes.
 *
 * @throws HoldfastError as `readJsonDocument` does for text that is none, or that is nested deeper than `depthLimit` levels
 */
export function readCanonicalText(bytes: Uint8Array, depthLimit = DEEPEST_DOCUMENT): JsonValue {
  const scan = scanJson(bytes, depthLimit);
  if (scan.tooDeepAt !== undefined) throw tooDeep(scan.tooDeepAt, depthLimit);
  const text = decode(bytes);
  const value = parseFast(text, scan);
  return value === undefined ? readJsonText(text) : value;
}

/** Bytes of the largest text that fits into one string of the JavaScript engine. */
const LARGEST_TEXT = constants.MAX_STRING_LENGTH;

/** What is refused before a text is looked at as JSON: its size, an empty one, another encoding. */
export function checkJsonBytes(bytes: Uint8Array, limitBytes: number): void {
  const limit = Math.min(limitBytes, LARGEST_TEXT);
  if (bytes.byteLength > limit) throw documentTooLarge(limit);
  if (skipJsonSpace(bytes, 0) === bytes.byteLength) {
    throw new HoldfastError('invalid', 'document-empty', 'The document is empty. Send one JSON value.');
  }
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    const message =
      'The document begins with a byte order mark, which JSON does not allow. Send plain UTF-8 without it.';
    throw new HoldfastError('invalid', 'document-byte-order-mark', message);
  }
  if (!isUtf8(bytes)) {
    const message = 'The document is not valid UTF-8. Send JSON text in UTF-8.';
    throw new HoldfastError('invalid', 'document-not-utf-8', message);
  }
}

/** For whoever gathers a document's bytes and need not go on past the limit. */
export function documentTooLarge(limitBytes: number): HoldfastError {
  const message = `The document is larger than the limit of ${limitBytes} bytes. Send a smaller one or raise documentLimitBytes.`;
  return new HoldfastError('too-large', 'document-too-large', message, { details: { limitBytes } });
}

function tooDeep(position: number, depthLimit: number): HoldfastError {
  const message = `The document is nested deeper than ${depthLimit} levels, at byte ${position}. Send a flatter one or raise documentDepthLimit (at most ${DEEPEST_DOCUMENT}).`;
  return new HoldfastError('invalid', 'document-too-deep', message, { details: { depthLimit, position } });
}

function decode(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString(isAscii(buffer) ? 'latin1' : 'utf8');
}

/**
 * Asks `JSON.parse`, which is several times as fast as `readJsonText`, unless it would change a number, let half a surrogate
 * pair pass, or read a name wrongly: V8 may take a name with an escape sequence for another one, with a backslash, that it
 * read earlier in any text (Node.js 24 and 26, https://github.com/nodejs/node/issues/63785).
 *
 * @returns undefined where the text must be read the slow way
 */
function parseFast(text: string, scan: JsonScan): JsonValue | undefined {
  if (scan.exactNumbers || scan.loneSurrogates || scan.escapedNames) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @param value without exact numbers */
function countMembers(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) {
      if (typeof item === 'object') count += countMembers(item);
    }
    return count;
  }
  for (const member of Object.values(value)) {
    count += typeof member === 'object' ? 1 + countMembers(member) : 1;
  }
  return count;
}
