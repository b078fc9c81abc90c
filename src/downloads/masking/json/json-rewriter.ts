import type { PathAutomaton, PathState } from './path-automaton.ts';

/** What becomes of the scalars and names of a document. `path`: index of the path that counts for it, or the number of paths where none does. */
export interface JsonRewriting {
  paths: PathAutomaton;
  /** One for each path, and one for what no path names. */
  fates: readonly JsonFate[];
  /** Asked of scalars whose fate is `change`. @param raw as written, a string with its quotes @returns JSON text */
  scalar(kind: ScalarKind, raw: string, path: number): string;
  /** Asked of names that hold a digit or an `@` and do not stand below a path that keeps. @param raw with its quotes @param ordinal how many names of this object were replaced before */
  name(raw: string, ordinal: number): string | undefined;
}

export type ScalarKind = 'string' | 'number' | 'boolean';

/** `null-whole` makes null of objects and arrays too, unless an earlier path may match inside. `change` asks the function. */
export type JsonFate = 'keep' | 'null' | 'null-whole' | 'redact' | 'change';

/** What stands in the place of a scalar that is redacted; a boolean says too little to be. */
export const REDACTED = { string: '"[redacted]"', number: '0', boolean: undefined } as const;

/** The text is no JSON (RFC 8259), or nested deeper than DEEPEST_JSON. Never holds any of it. */
export class JsonTextError extends Error {
  /** UTF-16 units from the beginning of the document. */
  readonly position: number;

  constructor(position: number) {
    super(`There is no valid JSON at character ${position + 1}.`);
    this.name = 'JsonTextError';
    this.position = position;
  }
}

export const DEEPEST_JSON = 1000;
/** Longest string or number of a document that comes in pieces, in UTF-16 units. */
export const LONGEST_SCALAR = 64 << 20;

/**
 * Replaces scalars in JSON text and leaves each other character as it is: spaces, order, duplicate names, the spelling of numbers. Checks the grammar of RFC 8259
 * on the way. Text comes whole (`rewrite`) or in pieces (`begin`, then `push`); a scalar is held until it is complete, all else goes on at once.
 */
export class JsonRewriter {
  readonly #rewriting: JsonRewriting;
  #text = '';
  #at = 0;
  /** What came before this text, in UTF-16 units. */
  #before = 0;
  /** Begin of what is not given yet. */
  #from = 0;
  #out = '';
  #expects: number = Expects.value;
  #depth = 0;
  /** The depth whose container is replaced as a whole; 0: none. */
  #silentDepth = 0;
  /** Of the value that comes next. */
  #state: PathState;
  #path = 0;
  readonly #isObject = new Uint8Array(DEEPEST_JSON + 1);
  readonly #states: PathState[] = [];
  readonly #pathAt = new Uint32Array(DEEPEST_JSON + 1);
  readonly #namesReplaced = new Uint32Array(DEEPEST_JSON + 1);
  /** Of the string that was read last. */
  #hasEscapes = false;
  #hasMarks = false;
  /** Length that a held scalar must have reached before it is looked at again. */
  #enough = 0;

  constructor(rewriting: JsonRewriting) {
    this.#rewriting = rewriting;
    this.#state = rewriting.paths.root;
  }

  /** @throws JsonTextError, and whatever the functions throw */
  rewrite(text: string): string {
    this.begin();
    return this.push(text, true);
  }

  begin(): void {
    this.#text = '';
    this.#before = 0;
    this.#expects = Expects.value;
    this.#depth = 0;
    this.#silentDepth = 0;
    this.#enough = 0;
    this.#enter(this.#rewriting.paths.root, this.#rewriting.fates.length - 1);
  }

  /**
   * @returns what can be given by now
   * @throws JsonTextError, and whatever the functions throw
   */
  push(text: string, isLast: boolean): string {
    this.#text = this.#text === '' ? text : this.#text + text;
    if (!isLast && this.#text.length < this.#enough && this.#text.length <= LONGEST_SCALAR) return '';
    this.#at = 0;
    this.#from = 0;
    this.#out = '';
    while (this.#step(isLast));
    if (isLast && (this.#at < this.#text.length || this.#expects !== Expects.end)) throw this.#fault();
    return this.#given();
  }

  /** Gives what is complete and holds the rest. */
  #given(): string {
    const end = this.#at;
    const isWhole = this.#from === 0 && end === this.#text.length && this.#silentDepth === 0;
    const out = isWhole ? this.#text : this.#out + (this.#silentDepth > 0 ? '' : this.#text.slice(this.#from, end));
    this.#text = this.#text.slice(end);
    this.#before += end;
    if (this.#text.length > LONGEST_SCALAR) throw this.#fault();
    this.#enough = this.#text.length * 2;
    return out;
  }

  /** Reads one token. @returns false at the end of the text, or at a token that is not complete */
  #step(isLast: boolean): boolean {
    const text = this.#text;
    let at = this.#at;
    while (at < text.length && isSpace(text.charCodeAt(at))) at++;
    this.#at = at;
    if (at === text.length) return false;
    const code = text.charCodeAt(at);
    switch (this.#expects) {
      case Expects.value:
        return this.#value(code, isLast);
      case Expects.firstValue:
        return code === CLOSE_BRACKET ? this.#close() : this.#value(code, isLast);
      case Expects.name:
        return this.#name(code);
      case Expects.firstName:
        return code === CLOSE_BRACE ? this.#close() : this.#name(code);
      case Expects.colon:
        if (code !== COLON) throw this.#fault();
        this.#at++;
        this.#expects = Expects.value;
        return true;
      case Expects.more:
        return this.#more(code);
      default:
        throw this.#fault();
    }
  }

  #value(code: number, isLast: boolean): boolean {
    if (code === QUOTE) return this.#string();
    if (code === OPEN_BRACE) return this.#open(1);
    if (code === OPEN_BRACKET) return this.#open(0);
    if (code === MINUS || (code >= ZERO && code <= NINE)) return this.#number(isLast);
    return this.#literal(code, isLast);
  }

  #open(isObject: 0 | 1): boolean {
    if (this.#depth === DEEPEST_JSON) throw this.#fault();
    const depth = ++this.#depth;
    this.#isObject[depth] = isObject;
    this.#states[depth] = this.#state;
    this.#pathAt[depth] = this.#path;
    this.#namesReplaced[depth] = 0;
    const fate = this.#rewriting.fates[this.#path];
    if (fate === 'null-whole' && this.#silentDepth === 0 && this.#state.pending >= this.#path) {
      this.#replace(this.#at, 'null');
      this.#silentDepth = depth;
    }
    this.#at++;
    if (isObject === 0) this.#enter(this.#state.other(), this.#path);
    this.#expects = isObject === 0 ? Expects.firstValue : Expects.firstName;
    return true;
  }

  #close(): boolean {
    this.#at++;
    if (this.#silentDepth === this.#depth) {
      this.#silentDepth = 0;
      this.#from = this.#at;
    }
    this.#depth--;
    return this.#valueEnded();
  }

  #valueEnded(): boolean {
    this.#expects = this.#depth === 0 ? Expects.end : Expects.more;
    return true;
  }

  #more(code: number): boolean {
    const isObject = this.#isObject[this.#depth] === 1;
    if (code === (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) return this.#close();
    if (code !== COMMA) throw this.#fault();
    this.#at++;
    if (!isObject) this.#enter((this.#states[this.#depth] as PathState).other(), this.#pathAt[this.#depth] as number);
    this.#expects = isObject ? Expects.name : Expects.value;
    return true;
  }

  /** Says which path counts for the value that comes next. */
  #enter(state: PathState, outerPath: number): void {
    this.#state = state;
    this.#path = Math.min(state.accepted, outerPath);
  }

  #name(code: number): boolean {
    if (code !== QUOTE) throw this.#fault();
    const start = this.#at;
    const end = this.#stringEnd(start);
    if (end < 0) return false;
    const state = this.#states[this.#depth] as PathState;
    const outerPath = this.#pathAt[this.#depth] as number;
    const isAskedFor = this.#hasEscapes || state.asksForLength(end - start - 2);
    this.#enter(isAskedFor ? state.member(this.#decoded(start, end)) : state.other(), outerPath);
    if ((this.#hasMarks || this.#hasEscapes) && this.#silentDepth === 0) this.#changeName(start, end, outerPath);
    this.#at = end;
    this.#expects = Expects.colon;
    return true;
  }

  #changeName(start: number, end: number, outerPath: number): void {
    const isReviewed = this.#rewriting.fates[outerPath] === 'keep' && outerPath < this.#rewriting.fates.length - 1;
    if (isReviewed) return;
    const depth = this.#depth;
    const ordinal = this.#namesReplaced[depth] as number;
    const name = this.#rewriting.name(this.#text.slice(start, end), ordinal);
    if (name === undefined) return;
    this.#replace(start, name, end);
    this.#namesReplaced[depth] = ordinal + 1;
  }

  /** A name is read as a string of its own: of objects, JSON.parse may read names with escapes wrongly (nodejs/node issue 63785). */
  #decoded(start: number, end: number): string {
    const text = this.#text;
    return this.#hasEscapes ? JSON.parse(text.slice(start, end)) : text.slice(start + 1, end - 1);
  }

  #string(): boolean {
    const start = this.#at;
    const end = this.#stringEnd(start);
    if (end < 0) return false;
    this.#at = end;
    this.#changeScalar('string', start);
    return this.#valueEnded();
  }

  #number(isLast: boolean): boolean {
    const start = this.#at;
    NUMBER.lastIndex = start;
    if (!NUMBER.test(this.#text)) {
      if (!isLast && NUMBER_BEGIN.test(this.#text.slice(start, start + 2))) return false;
      throw this.#fault();
    }
    const end = NUMBER.lastIndex;
    const rest = this.#text.length - end;
    // A point, an exponent or more digits may follow in the next piece.
    if (!isLast && (rest === 0 || (rest <= 2 && NUMBER_REST.test(this.#text.slice(end))))) return false;
    this.#at = end;
    this.#changeScalar('number', start);
    return this.#valueEnded();
  }

  #literal(code: number, isLast: boolean): boolean {
    const start = this.#at;
    const word = code === 0x74 ? 'true' : code === 0x66 ? 'false' : code === 0x6e ? 'null' : undefined;
    if (word === undefined) throw this.#fault();
    if (!this.#text.startsWith(word, start)) {
      if (!isLast && word.startsWith(this.#text.slice(start))) return false;
      throw this.#fault();
    }
    this.#at = start + word.length;
    if (word !== 'null') this.#changeScalar('boolean', start);
    return this.#valueEnded();
  }

  /** Ends where the reader stands. */
  #changeScalar(kind: ScalarKind, start: number): void {
    if (this.#silentDepth > 0) return;
    const replacement = this.#replacement(kind, start);
    if (replacement !== undefined) this.#replace(start, replacement, this.#at);
  }

  #replacement(kind: ScalarKind, start: number): string | undefined {
    switch (this.#rewriting.fates[this.#path]) {
      case 'keep':
        return undefined;
      case 'redact':
        return REDACTED[kind];
      case 'change':
        return this.#rewriting.scalar(kind, this.#text.slice(start, this.#at), this.#path);
      default:
        return 'null';
    }
  }

  #replace(start: number, replacement: string, end = start): void {
    this.#out += this.#text.slice(this.#from, start) + replacement;
    this.#from = end;
  }

  /** The end of the string that begins here; -1: it is not complete. */
  #stringEnd(start: number): number {
    const text = this.#text;
    const length = text.length;
    let hasMarks = false;
    this.#hasEscapes = false;
    for (let at = start + 1; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        this.#hasMarks = hasMarks;
        return at + 1;
      }
      if (code === BACKSLASH) {
        this.#hasEscapes = true;
        at = this.#escapeEnd(at);
        if (at < 0) return -1;
      } else if (code < 0x20) {
        this.#at = at;
        throw this.#fault();
      } else if (code === AT_SIGN || (code >= ZERO && code <= NINE)) {
        hasMarks = true;
      }
    }
    return -1;
  }

  /** The last character of the escape; -1: it is not complete. */
  #escapeEnd(at: number): number {
    const code = this.#text.charCodeAt(at + 1);
    if (Number.isNaN(code)) return -1;
    if (code !== 0x75) {
      if (SIMPLE_ESCAPES.has(code)) return at + 1;
    } else {
      const digits = this.#text.slice(at + 2, at + 6);
      if (FOUR_HEX.test(digits)) return at + 5;
      if (digits.length < 4 && at + 2 + digits.length === this.#text.length) return -1;
    }
    this.#at = at;
    throw this.#fault();
  }

  #fault(): JsonTextError {
    return new JsonTextError(this.#before + this.#at);
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** What may come next. */
const Expects = { value: 0, firstValue: 1, name: 2, firstName: 3, colon: 4, more: 5, end: 6 } as const;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const AT_SIGN = 0x40;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const NUMBER_BEGIN = /^-$/;
const NUMBER_REST = /^(?:\.|[eE][+-]?)$/;
const SIMPLE_ESCAPES = new Set([QUOTE, BACKSLASH, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);
const FOUR_HEX = /^[0-9a-fA-F]{4}$/;
