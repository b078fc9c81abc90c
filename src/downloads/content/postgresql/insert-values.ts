import { RowFault } from '../../masking/row-fault.ts';

/** How a value is written in an INSERT. */
export type LiteralKind = 'null' | 'default' | 'string' | 'bits' | 'number' | 'boolean';

const SPACE = /\s*/y;
const WORD = /[-+]?[\w.]+(?:[-+]\d+)?/y;
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;
const END = /\s*(?:on\s+conflict\s+do\s+nothing\s*)?;/iy;
const ESCAPE = /\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/gs;
const CHARACTERS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/**
 * Reads the rows of INSERT statements as pg_dump writes them: `(value, …)`, more of them with commas between them, and the end. Over text of one character for
 * each byte. Values are NULL, DEFAULT, numbers, booleans, strings and strings of bits; anything else, an expression above all, is a fault.
 */
export class InsertValues {
  /** Where the next thing stands. */
  at = 0;
  /** Where the value of each column of the row at hand begins, its first character included. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly kinds: LiteralKind[] = [];
  /** Values in the row at hand. */
  count = 0;
  /** Rows read so far. */
  row = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * Reads the row that begins here, and stands behind it then.
   * @param columns that it must have
   */
  readRow(columns: number): void {
    this.skipSpace();
    if (this.#text[this.at] !== '(') throw this.#fault('it does not begin with a parenthesis');
    this.count = 0;
    do {
      this.at++;
      this.skipSpace();
      this.#value();
      this.skipSpace();
    } while (this.#text[this.at] === ',');
    if (this.#text[this.at] !== ')') throw this.#fault('it holds a value that is more than a literal');
    this.at++;
    if (this.count !== columns) throw this.#fault('it has another number of values than the table has columns');
    this.row++;
  }

  /** Behind a row: true where another one follows, and stands behind the comma then; otherwise behind the statement. */
  hasAnother(): boolean {
    const from = this.at;
    this.skipSpace();
    if (this.#text[this.at] === ',') {
      this.at++;
      return true;
    }
    END.lastIndex = from;
    if (!END.test(this.#text)) throw this.#fault('its statement ends in an unknown way');
    this.at = END.lastIndex;
    return false;
  }

  skipSpace(): void {
    SPACE.lastIndex = this.at;
    SPACE.test(this.#text);
    this.at = SPACE.lastIndex;
  }

  /** The text that a value of the row at hand stands for, one character for each byte. */
  value(column: number): string | null {
    const literal = this.#text.slice(this.starts[column], this.ends[column]);
    switch (this.kinds[column]) {
      case 'null':
        return null;
      case 'boolean':
        return literal.toLowerCase() === 'true' ? 't' : 'f';
      case 'number':
        return literal;
      case 'bits':
        return literal.slice(2, -1);
      case 'string':
        if (literal.startsWith("'")) return literal.slice(1, -1).replaceAll("''", "'");
        return literal.slice(2, -1).replaceAll("''", "'").replace(ESCAPE, unescaped);
      default:
        throw this.#fault('DEFAULT stands where a value must be known');
    }
  }

  #value(): void {
    const [text, start] = [this.#text, this.at];
    const kind = this.#kind(text[start] ?? '', text[start + 1] ?? '');
    const column = this.count++;
    this.starts[column] = start;
    this.kinds[column] = kind;
    this.ends[column] = this.at;
  }

  #kind(first: string, second: string): LiteralKind {
    if (first === "'") return this.#string(this.at + 1, false);
    if (second === "'" && (first === 'E' || first === 'e')) return this.#string(this.at + 2, true);
    if (second === "'" && /[BbXx]/.test(first)) {
      this.#string(this.at + 2, false);
      if (/[Xx]/.test(first)) throw this.#fault('it holds a string of bits in hexadecimal');
      return 'bits';
    }
    WORD.lastIndex = this.at;
    const word = WORD.exec(this.#text)?.[0] ?? '';
    this.at += word.length;
    if (NUMBER.test(word)) return 'number';
    switch (word.toLowerCase()) {
      case 'null':
        return 'null';
      case 'true':
      case 'false':
        return 'boolean';
      case 'default':
        return 'default';
      default:
        throw this.#fault('it holds a value that is no literal');
    }
  }

  #string(from: number, hasEscapes: boolean): 'string' {
    const text = this.#text;
    for (let at = from; ; at += 2) {
      at = hasEscapes ? quoteAfterEscapes(text, at) : text.indexOf("'", at);
      if (at < 0) throw this.#fault('a string has no end');
      if (text[at + 1] === "'") continue;
      this.at = at + 1;
      return 'string';
    }
  }

  #fault(what: string): RowFault {
    return new RowFault(this.row, what);
  }
}

/** A value as a literal, in the way of the one in whose place it stands where that can be. */
export function literal(value: string | null, kind: LiteralKind): string {
  if (value === null) return 'NULL';
  if (value.includes('\0'))
    throw new RowFault(0, 'a rule gave a value with the character NUL, which PostgreSQL has not');
  if (kind === 'number' && NUMBER.test(value)) return value;
  if (kind === 'boolean' && (value === 't' || value === 'f')) return value === 't' ? 'true' : 'false';
  if (kind === 'bits' && /^[01]*$/.test(value)) return `B'${value}'`;
  return `'${value.replaceAll("'", "''")}'`;
}

function quoteAfterEscapes(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "'") return at;
    if (text[at] === '\\') at++;
  }
  return -1;
}

function unescaped(_all: string, octal?: string, hex?: string, short?: string, long?: string, other?: string): string {
  if (other !== undefined) return CHARACTERS[other] ?? other;
  if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
  const code = Number.parseInt(short ?? long ?? '', 16);
  return Buffer.from(code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code)).toString('latin1');
}
