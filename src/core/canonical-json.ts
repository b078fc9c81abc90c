import { isExactNumber, type JsonObject, type JsonValue } from './json-value.ts';

/**
 * Writes a value as canonical JSON text in UTF-8 (RFC 8785): no white space, members in the order of their names' UTF-16
 * code units, numbers and strings as ECMAScript writes them; beyond the RFC, a number that a double cannot hold stays the
 * literal that was read. Equal values give equal bytes.
 *
 * Recursive: documents that `readJsonDocument` let pass are shallow enough.
 */
export function canonicalText(value: JsonValue): Uint8Array<ArrayBuffer> {
  const writer = new CanonicalWriter();
  writer.write(value);
  return writer.finish();
}

/** Characters that are gathered before they are turned into bytes. */
const PIECE = 1 << 16;
/** Member names whose quoted form is remembered. */
const REMEMBERED_NAMES = 4096;

class CanonicalWriter {
  readonly #pieces: Buffer[] = [];
  readonly #names = new Map<string, string>();
  #text = '';

  write(value: JsonValue): void {
    if (typeof value === 'string') this.#text += quoted(value);
    else if (typeof value === 'number') this.#text += value;
    else if (value === null || typeof value === 'boolean') this.#text += value;
    else if (Array.isArray(value)) this.#array(value);
    else if (isExactNumber(value)) this.#text += value.rawJSON;
    else this.#object(value);
    if (this.#text.length > PIECE) this.#flush();
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#flush();
    let length = 0;
    for (const piece of this.#pieces) length += piece.byteLength;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, at);
      at += piece.byteLength;
    }
    return bytes;
  }

  #array(values: readonly JsonValue[]): void {
    this.#text += '[';
    for (let index = 0; index < values.length; index++) {
      if (index > 0) this.#text += ',';
      this.write(values[index] as JsonValue);
    }
    this.#text += ']';
  }

  #object(object: JsonObject): void {
    const names = Object.keys(object);
    if (!isSorted(names)) names.sort();
    let separator = '{';
    for (const name of names) {
      this.#text += separator + this.#quotedName(name);
      this.write(object[name] as JsonValue);
      separator = ',';
    }
    this.#text += separator === '{' ? '{}' : '}';
  }

  /** Documents repeat few names many times. */
  #quotedName(name: string): string {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const text = `${quoted(name)}:`;
    if (this.#names.size < REMEMBERED_NAMES) this.#names.set(name, text);
    return text;
  }

  #flush(): void {
    if (this.#text.length > 0) this.#pieces.push(Buffer.from(this.#text));
    this.#text = '';
  }
}

function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function isSorted(names: readonly string[]): boolean {
  for (let index = 1; index < names.length; index++) {
    if ((names[index - 1] as string) > (names[index] as string)) return false;
  }
  return true;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON must escape.
const NEEDS_ESCAPE = /[\u0000-\u001f"\\\ud800-\udfff]/;
