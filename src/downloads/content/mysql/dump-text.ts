import { ROUTINES } from '../../sql/mysql-routine.ts';
import { madeBy } from '../../sql/mysql-statements.ts';
import { identifierOf, type TextToken } from '../../sql/sql-tokens.ts';
import { ESCAPED } from './literal.ts';

/** A name as a person writes it, from Latin-1 with one character for each byte. */
export function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** The name that a token stands for, as it is spelt. Tokens have words in lower case. */
export function nameOf(statement: Buffer, token: TextToken | undefined): string | undefined {
  if (token === undefined) return undefined;
  if (token.kind === 'word') return statement.toString('utf8', token.start, token.end);
  const name = identifierOf(token);
  return name === undefined ? undefined : decoded(name);
}

/** The text of a string's token: `'it''s'`, `"a\nb"`. */
export function stringOf(token: TextToken): string {
  const quote = token.text.charAt(0);
  const inner = token.text.slice(1, -1).replaceAll(quote + quote, quote);
  return decoded(inner.replaceAll(/\\([\s\S])/g, (_, letter: string) => ESCAPED[letter] ?? letter));
}

/** The position after the parenthesis that closes the one at `open`. */
export function afterParentheses(tokens: readonly TextToken[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    const token = tokens[at];
    if (token?.kind !== 'symbol') continue;
    if (token.text === '(') depth++;
    if (token.text === ')' && --depth === 0) return at + 1;
  }
  return tokens.length;
}

export function isWord(token: TextToken | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text);
}

/** True for a statement that makes what has a body of its own: a routine, a trigger, an event. */
export function makesRoutine(tokens: readonly TextToken[]): boolean {
  return isWord(tokens[0], 'create') && ROUTINES.has(madeBy(tokens.slice(0, 60))?.text ?? '');
}

/** MySQL takes names of columns and keys for the same whatever their case. */
export function sameName(name: string): string {
  return name.toLowerCase();
}
