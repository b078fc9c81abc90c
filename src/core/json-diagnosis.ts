import { HoldfastError } from './errors.ts';

/**
 * Finds what is wrong with a JSON text and says where: the slow, exact pass for texts that the fast one stumbled over.
 * Messages name places and member names, never values. The text's nesting must have been limited before.
 *
 * @returns undefined for a valid text (RFC 8259) without duplicate names and lone surrogates
 */
export function diagnoseJson(text: string): HoldfastError | undefined {
  try {
    new StrictReader(text).document();
    return undefined;
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}

class StrictReader {
  readonly #text: string;
  #at = 0;
  /** Names and indexes from the root to where the reader is. */
  readonly #path: (string | number)[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#space();
    this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw this.#syntax('the document has ended, but more text follows');
  }

  #value(): void {
    const character = this.#text[this.#at];
    if (character === '{') this.#object();
    else if (character === '[') this.#array();
    else if (character === '"') this.#string();
    else if (!this.#match(LITERAL) && !this.#match(NUMBER)) throw this.#syntax('a value was expected');
  }

  #object(): void {
    const names = new Set<string>();
    this.#sequence('}', () => {
      const at = this.#at;
      const name = this.#string();
      this.#path.push(name);
      if (names.has(name)) throw this.#duplicate(name, at);
      names.add(name);
      this.#space();
      if (!this.#take(':')) throw this.#syntax('a colon was expected after the name');
      this.#space();
      this.#value();
      this.#path.pop();
    });
  }

  #array(): void {
    let index = 0;
    this.#sequence(']', () => {
      this.#path.push(index++);
      this.#value();
      this.#path.pop();
    });
  }

  #sequence(close: string, item: () => void): void {
    this.#at++;
    this.#space();
    if (this.#take(close)) return;
    for (;;) {
      item();
      this.#space();
      if (this.#take(close)) return;
      if (!this.#take(',')) throw this.#syntax(`a comma or "${close}" was expected`);
      this.#space();
    }
  }

  #string(): string {
    const start = this.#at;
    if (!this.#take('"')) throw this.#syntax('a name in double quotes was expected');
    while (!this.#take('"')) {
      if (!this.#match(CHARACTERS) && !this.#match(ESCAPE)) throw this.#syntax(this.#stringFault());
    }
    const value: string = JSON.parse(this.#text.slice(start, this.#at));
    if (!value.isWellFormed()) throw this.#loneSurrogate(start);
    return value;
  }

  #stringFault(): string {
    if (this.#at >= this.#text.length) return 'the text ends inside a string';
    if (this.#text[this.#at] === '\\') return 'the escape sequence is not one of JSON';
    return 'control characters in strings must be escaped';
  }

  #space(): void {
    this.#match(SPACE);
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
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
const LITERAL = /(?:true|false|null)/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
/** Bounded, so that a very long string does not exhaust the pattern engine. */
const CHARACTERS = /[ !#-[\]-\uffff]{1,1000}/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
