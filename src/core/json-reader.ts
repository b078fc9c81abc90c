import { HoldfastError } from './errors.ts';
import { isExactInDouble } from './json-scan.ts';
import { exactNumber, type JsonArray, type JsonObject, type JsonValue, setMember } from './json-value.ts';

/**
 * Reads JSON text exactly (RFC 8259): the slow reader for texts that `JSON.parse` would change, read wrongly or refuse
 * without saying where. Messages name places and member names, never values. The text's nesting must have been limited before.
 *
 * @throws HoldfastError `document-syntax`, `document-duplicate-key`, `document-lone-surrogate` (invalid)
 */
export function readJsonText(text: string): JsonValue {
  return new JsonReader(text).document();
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  /** Names and indexes from the root to where the reader is. */
  readonly #path: (string | number)[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonValue {
    this.#space();
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw this.#syntax('the document has ended, but more text follows');
    return value;
  }

  #value(): JsonValue {
    const character = this.#text[this.#at];
    if (character === '"') return this.#string();
    if (character === '{') return this.#object();
    if (character === '[') return this.#array();
    const number = this.#match(NUMBER);
    if (number !== undefined) return isExactInDouble(number) ? Number(number) : exactNumber(number);
    const literal = this.#match(LITERAL);
    if (literal === undefined) throw this.#syntax('a value was expected');
    return literal === 'null' ? null : literal === 'true';
  }

  #object(): JsonObject {
    const object: JsonObject = {};
    if (this.#begins('}')) return object;
    do {
      this.#space();
      const at = this.#at;
      const name = this.#name();
      this.#path.push(name);
      if (Object.hasOwn(object, name)) throw this.#duplicate(name, at);
      setMember(object, name, this.#value());
      this.#path.pop();
    } while (this.#continues('}'));
    return object;
  }

  #array(): JsonArray {
    const array: JsonArray = [];
    if (this.#begins(']')) return array;
    do {
      this.#space();
      this.#path.push(array.length);
      array.push(this.#value());
      this.#path.pop();
    } while (this.#continues(']'));
    return array;
  }

  /** Takes an opening bracket. @returns true if the closing one follows at once */
  #begins(close: string): boolean {
    this.#at++;
    this.#space();
    return this.#take(close);
  }

  /** Takes a comma or the closing bracket. @returns true for a comma */
  #continues(close: string): boolean {
    this.#space();
    if (this.#take(',')) return true;
    if (this.#take(close)) return false;
    throw this.#syntax(`a comma or "${close}" was expected`);
  }

  #name(): string {
    if (this.#text[this.#at] !== '"') throw this.#syntax('a name in double quotes was expected');
    const name = this.#string();
    this.#space();
    if (!this.#take(':')) throw this.#syntax('a colon was expected after the name');
    this.#space();
    return name;
  }

  #string(): string {
    const start = this.#at++;
    this.#match(CHARACTERS);
    if (this.#take('"')) return this.#text.slice(start + 1, this.#at - 1);
    while (!this.#take('"')) {
      if (this.#match(ESCAPE) === undefined) throw this.#syntax(this.#stringFault());
      this.#match(CHARACTERS);
    }
    const value: string = JSON.parse(this.#text.slice(start, this.#at));
    if (!value.isWellFormed()) throw this.#loneSurrogate(start);
    return value;
  }

  #stringFault(): string {
    if (this.#at >= this.#text.length) return 'a string is not closed';
    if (this.#text[this.#at] === '\\') return 'the escape sequence is not one of JSON';
    return 'control characters in strings must be escaped';
  }

  #space(): void {
    if (this.#text.charCodeAt(this.#at) <= 0x20) this.#match(SPACE);
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return undefined;
    const start = this.#at;
    this.#at = pattern.lastIndex;
    return this.#text.slice(start, this.#at);
  }

  #syntax(fault: string): HoldfastError {
    const what = this.#at >= this.#text.length ? `${fault}, but the text ends` : fault;
    return this.#error('document-syntax', `The document is not valid JSON: ${what}`, 'Correct it and send it again.');
  }

  #duplicate(name: string, at: number): HoldfastError {
    this.#at = at;
    return this.#error(
      'document-duplicate-key',
      `The key ${JSON.stringify(name)} occurs twice in one object (${this.#pointer()})`,
      'JSON does not say which of the two counts: remove or rename one.',
      { key: name },
    );
  }

  #loneSurrogate(at: number): HoldfastError {
    this.#at = at;
    return this.#error(
      'document-lone-surrogate',
      `A string holds half of a surrogate pair, which is no Unicode text (${this.#pointer()})`,
      'Send both halves, or the bytes in another notation such as Base64.',
    );
  }

  #error(code: string, fault: string, advice: string, facts: Record<string, unknown> = {}): HoldfastError {
    const before = this.#text.slice(0, this.#at);
    const line = before.split('\n').length;
    const column = this.#at - before.lastIndexOf('\n');
    const position = Buffer.byteLength(before);
    const message = `${fault}, at line ${line}, column ${column} (byte ${position}). ${advice}`;
    return new HoldfastError('invalid', code, message, {
      details: { ...facts, pointer: this.#pointer(), line, column, position },
    });
  }

  /** RFC 6901. */
  #pointer(): string {
    return this.#path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  }
}

const SPACE = /[\t\n\r ]*/y;
const LITERAL = /true|false|null/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const CHARACTERS = /[ !#-[\]-\uffff]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
