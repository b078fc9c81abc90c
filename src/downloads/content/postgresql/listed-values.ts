import type { TextToken } from '../../sql/sql-tokens.ts';
import { identifierOf } from '../../sql/sql-tokens.ts';
import { decoded, stringOf } from './definition.ts';

/** The values that a CHECK allows, where it lists them and does nothing else: `status = ANY (ARRAY['a', 'b'])` or `status IN ('a', 'b')`, casts and parentheses around them aside. */
export function listedValues(check: readonly TextToken[]): { column: string; values: string[] } | undefined {
  const tokens = withoutCasts(check.filter(({ text, kind }) => !(kind === 'symbol' && (text === '(' || text === ')'))));
  const column = identifierOf(tokens[0]);
  const words = tokens.slice(1, 5).map(({ text }) => text);
  const from = words.join(' ') === '= any array [' ? 5 : words[0] === 'in' ? 2 : words[0] === '=' ? 2 : -1;
  if (column === undefined || from < 0) return undefined;
  const end = from === 5 ? tokens.length - 1 : tokens.length;
  if (from === 5 && tokens[end]?.text !== ']') return undefined;
  if (words[0] === '=' && from === 2 && end !== 3) return undefined;
  const values: string[] = [];
  for (let at = from; at < end; at += 2) {
    const value = stringOf(tokens[at]);
    if (value === undefined || (at + 1 < end && tokens[at + 1]?.text !== ',')) return undefined;
    values.push(value);
  }
  return values.length === 0 ? undefined : { column: decoded(column), values };
}

/** `::text`, `::character varying[]`, `::public.mood`. */
function withoutCasts(tokens: readonly TextToken[]): TextToken[] {
  const left: TextToken[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    if (token.text !== ':' || tokens[at + 1]?.text !== ':') {
      left.push(token);
      continue;
    }
    at += 2;
    while (isOfType(tokens, at + 1)) at++;
  }
  return left;
}

function isOfType(tokens: readonly TextToken[], at: number): boolean {
  const [before, token] = [tokens[at - 1], tokens[at]];
  if (token === undefined) return false;
  if (token.kind === 'word') return token.text === 'varying' || token.text === 'precision' || before?.text === '.';
  if (token.kind === 'name') return before?.text === '.';
  // `(20)`: the parentheses are not there any more.
  if (token.kind === 'number') return true;
  if (token.text === '[') return tokens[at + 1]?.text === ']';
  return token.text === '.' || (token.text === ']' && before?.text === '[');
}
