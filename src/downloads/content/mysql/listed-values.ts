import type { TextToken } from '../../sql/sql-tokens.ts';
import { isWord, nameOf, stringOf } from './dump-text.ts';

/**
 * The values that a condition lists for a column, where it says nothing else: `(kind in ('a','b'))`, in as many parentheses as a server prints, each with
 * the character set before it that MySQL 8 prints.
 * @param condition Tokens from the first parenthesis behind CHECK
 */
export function listedValues(
  statement: Buffer,
  condition: readonly TextToken[],
): { column: string; values: string[] } | undefined {
  let at = 0;
  while (condition[at]?.text === '(') at++;
  const parentheses = at;
  const column = nameOf(statement, condition[at]);
  if (column === undefined || !isWord(condition[at + 1], 'in') || condition[at + 2]?.text !== '(') return undefined;
  const values: string[] = [];
  for (at += 3; ; at++) {
    if (condition[at]?.kind === 'word' && condition[at]?.text.startsWith('_')) at++;
    const value = condition[at];
    if (value?.kind === 'string') values.push(stringOf(value));
    else if (value?.kind === 'word' && /^\d+$/.test(value.text)) values.push(value.text);
    else return undefined;
    at++;
    if (condition[at]?.text === ')') break;
    if (condition[at]?.text !== ',') return undefined;
  }
  const closing = condition.slice(at + 1, at + 1 + parentheses);
  return closing.length === parentheses && closing.every(({ text }) => text === ')') ? { column, values } : undefined;
}
