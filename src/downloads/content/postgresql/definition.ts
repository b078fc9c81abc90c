import { isUtf8 } from 'node:buffer';
import { identifierOf, type TextToken, tokensOf } from '../../sql/sql-tokens.ts';
import { unreadable } from './unreadable.ts';

/** Reads the tokens of a statement from left to right. Names that it gives are decoded. */
export class Definition {
  at = 0;
  readonly tokens: readonly TextToken[];

  constructor(tokens: readonly TextToken[]) {
    this.tokens = tokens;
  }

  static of(statement: Buffer): Definition {
    return new Definition(tokensOf(statement, 'postgresql'));
  }

  get isAtEnd(): boolean {
    const token = this.tokens[this.at];
    return token === undefined || token.text === ';';
  }

  /** True where these words and symbols come next. */
  is(...words: readonly string[]): boolean {
    return words.every((word, index) => {
      const token = this.tokens[this.at + index];
      return token?.text === word && (token.kind === 'word' || token.kind === 'symbol');
    });
  }

  /** Steps over these words and symbols where they come next. */
  take(...words: readonly string[]): boolean {
    const isNext = this.is(...words);
    if (isNext) this.at += words.length;
    return isNext;
  }

  /** Steps on until one of these words or symbols comes next outside of parentheses; false where none does. */
  skipTo(...words: readonly string[]): boolean {
    while (!this.isAtEnd) {
      if (words.some((word) => this.is(word))) return true;
      if (this.is('(')) this.group();
      else this.#skipBrackets();
    }
    return false;
  }

  #skipBrackets(): void {
    let depth = 0;
    do {
      if (this.is('[')) depth++;
      else if (this.is(']') && depth > 0) depth--;
      this.at++;
    } while (depth > 0 && this.at < this.tokens.length);
  }

  identifier(): string | undefined {
    const found = identifierOf(this.tokens[this.at]);
    if (found === undefined) return undefined;
    this.at++;
    return decoded(found);
  }

  /** A name such as `schema.table`, by its parts. */
  name(): string[] | undefined {
    const parts: string[] = [];
    for (;;) {
      const part = this.identifier();
      if (part === undefined) return parts.length === 0 ? undefined : parts;
      parts.push(part);
      if (!this.take('.')) return parts;
    }
  }

  /** What the parentheses hold that come next, cut at the commas between them. */
  list(): Definition[] {
    const inner = this.group();
    const items: Definition[] = [];
    let [from, depth] = [0, 0];
    inner.forEach((token, index) => {
      if (token.kind !== 'symbol') return;
      if (token.text === '(' || token.text === '[') depth++;
      else if (token.text === ')' || token.text === ']') depth--;
      else if (token.text === ',' && depth === 0) {
        items.push(new Definition(inner.slice(from, index)));
        from = index + 1;
      }
    });
    if (inner.length > 0) items.push(new Definition(inner.slice(from)));
    return items;
  }

  /** The tokens within the parentheses that come next; none where none come. */
  group(): TextToken[] {
    if (!this.is('(')) return [];
    const begin = this.at + 1;
    for (let depth = 0; this.at < this.tokens.length; this.at++) {
      if (this.is('(')) depth++;
      else if (this.is(')') && --depth === 0) return this.tokens.slice(begin, this.at++);
    }
    throw unreadable('a statement has parentheses that do not close');
  }

  /** Names in parentheses. */
  names(): string[] {
    return this.list().map((item) => {
      const found = item.identifier();
      if (found === undefined) throw unreadable('a list of columns holds something that is no name');
      return found;
    });
  }
}

/** A name of the dump, which has one character for each byte. */
export function decoded(name: string): string {
  const bytes = Buffer.from(name, 'latin1');
  if (!isUtf8(bytes)) throw unreadable('a name in it is not in UTF-8', { fix: 'pg_dump --encoding=UTF8' });
  return bytes.toString('utf8');
}

/** What a string such as `'it''s'` stands for; undefined for other tokens. */
export function stringOf(token: TextToken | undefined): string | undefined {
  if (token?.kind !== 'string' || !token.text.startsWith("'")) return undefined;
  return decoded(token.text.slice(1, -1).replaceAll("''", "'"));
}
