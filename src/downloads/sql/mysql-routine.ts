import { notSealable } from './not-sealable.ts';
import type { TextToken } from './sql-tokens.ts';

/** What has a body of its own. */
export const ROUTINES = new Set(['trigger', 'event', 'procedure', 'function']);
/** Each of them opens a block where a statement begins. END closes it, with the same word again but for BEGIN. */
const BLOCKS = new Set(['begin', 'if', 'case', 'loop', 'while', 'repeat', 'for']);
const CHARACTERISTICS = new Set([
  ...['comment', 'language', 'sql', 'not', 'deterministic', 'contains', 'no', 'reads', 'modifies', 'data'],
  ...['security', 'definer', 'invoker'],
]);

/**
 * Refuses a statement with semicolons in it that the server would read as several: with another delimiter than a semicolon the client gives it all at once. Only
 * what routines are made of may hold semicolons, within a block that ends where the statement does.
 * @param tokens Of the statement without its delimiter and its definer
 * @param made Where the word for what it makes stands; -1 where it makes nothing
 * @throws HoldfastError `dump-not-sealable`
 */
export function refuseSeveral(tokens: readonly TextToken[], made: number): void {
  const begin = ROUTINES.has(tokens[made]?.text ?? '') ? bodyOf(tokens, made) : -1;
  const end = begin < 0 ? -1 : new Body(tokens, begin).end();
  if (end < 0 || !tokens.slice(end).every(({ text }) => text === ';'))
    throw notSealable(
      'it holds several statements in one, or the body of a routine in which they cannot be told apart',
    );
}

/** Where the body of a routine begins; -1 where that is not known. */
function bodyOf(tokens: readonly TextToken[], kind: number): number {
  switch (tokens[kind]?.text) {
    case 'trigger': {
      const each = wordAfter(tokens, kind, 'for');
      const hasOrder = ['follows', 'precedes'].includes(tokens[each + 3]?.text ?? '');
      return tokens[each + 2]?.text === 'row' ? each + (hasOrder ? 5 : 3) : -1;
    }
    case 'event': {
      const begin = wordAfter(tokens, kind, 'do');
      return begin < 0 ? -1 : begin + 1;
    }
    case 'procedure': {
      let at = afterParameters(tokens, kind);
      while (tokens[at]?.kind === 'string' || CHARACTERISTICS.has(tokens[at]?.text ?? '')) at++;
      return at;
    }
    default: {
      const from = afterParameters(tokens, kind);
      return tokens.findIndex(
        ({ kind: is, text }, at) =>
          at >= from && ((is === 'word' && (text === 'return' || BLOCKS.has(text))) || tokens[at + 1]?.text === ':'),
      );
    }
  }
}

function wordAfter(tokens: readonly TextToken[], from: number, word: string): number {
  return tokens.findIndex(({ kind, text }, at) => at > from && kind === 'word' && text === word);
}

function afterParameters(tokens: readonly TextToken[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    if (tokens[at]?.text === '(') depth++;
    if (tokens[at]?.text === ')' && --depth === 0) return at + 1;
  }
  return tokens.length;
}

/** Follows the blocks of a routine from the first statement of its body. */
class Body {
  readonly #tokens: readonly TextToken[];
  #at: number;

  constructor(tokens: readonly TextToken[], at: number) {
    this.#tokens = tokens;
    this.#at = at;
  }

  /** The position after the body; -1 where it is none, or has no end. */
  end(): number {
    const open: string[] = [];
    while (this.#at < this.#tokens.length) {
      this.#label();
      const word = this.#word();
      if (word === 'end') {
        const block = open.pop();
        if (block === undefined || !this.#closes(block)) return -1;
      } else if (BLOCKS.has(word)) {
        open.push(word);
        this.#at++;
        if (word === 'if' || word === 'case') this.#past('then');
        if (word === 'while' || word === 'for') this.#past('do');
        continue;
      } else if (this.#goesOn(word)) continue;
      else this.#pastSimple();
      if (open.length === 0) return this.#at;
      if (this.#tokens[this.#at++]?.text !== ';') return -1;
    }
    return -1;
  }

  /** A word as which no name in quotes is taken. */
  #word(at = this.#at): string {
    const token = this.#tokens[at];
    return token?.kind === 'word' ? token.text : '';
  }

  #label(): void {
    const isLabel = this.#tokens[this.#at + 1]?.text === ':' && !['begin', 'end'].includes(this.#word());
    if (isLabel) this.#at += 2;
  }

  /** Within a block: what comes before more of its statements. */
  #goesOn(word: string): boolean {
    if (word === 'else') this.#at++;
    else if (word === 'elseif' || word === 'when') this.#past('then');
    else if (word === 'until') this.#past('end', -1);
    else if (word === 'declare' && this.#word(this.#at + 2) === 'handler') this.#conditions();
    else return false;
    return true;
  }

  #conditions(): void {
    this.#at += 3;
    do {
      this.#at++;
      if (this.#word() === 'sqlstate') this.#at += this.#word(this.#at + 1) === 'value' ? 2 : 1;
      if (this.#word() === 'not') this.#at++;
      this.#at++;
    } while (this.#tokens[this.#at]?.text === ',');
  }

  #pastSimple(): void {
    while (this.#at < this.#tokens.length && this.#tokens[this.#at]?.text !== ';') this.#at++;
  }

  /** To the word, not that of a CASE within an expression, and past it or so many tokens further. */
  #past(wanted: string, further = 0): void {
    let cases = 0;
    for (; this.#at < this.#tokens.length; this.#at++) {
      const text = this.#word();
      if (text === wanted && cases === 0) break;
      if (this.#tokens[this.#at]?.text === ';') this.#at = this.#tokens.length;
      if (text === 'case') cases++;
      if (text === 'end' && cases > 0) cases--;
    }
    this.#at += 1 + further;
  }

  /** END, what belongs to it, and the block's label. */
  #closes(block: string): boolean {
    this.#at++;
    if (block !== 'begin') {
      if (this.#word() !== block) return false;
      this.#at++;
    }
    const next = this.#tokens[this.#at];
    if (next?.kind === 'word' || next?.kind === 'name') this.#at++;
    return true;
  }
}
