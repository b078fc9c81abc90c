import { isName, isWord, type SqliteToken, sameName, sqliteTokens } from './sqlite-tokens.ts';

/** Values that a table's definition lists for a column: `CHECK (column IN ('a', 'b'))`. By the column's name as `sameName` gives it. */
export function listedValues(sql: string): ReadonlyMap<string, readonly string[]> {
  const tokens = sqliteTokens(sql);
  const found = new Map<string, readonly string[]>();
  for (let at = 0; at < tokens.length; at++) {
    const [check, open, column, inside, begin] = tokens.slice(at, at + 5);
    const isList = isWord(check, 'check') && open?.text === '(' && isWord(inside, 'in') && begin?.text === '(';
    if (!isList || !isName(column)) continue;
    const values = valuesFrom(tokens, at + 5);
    if (values !== undefined) found.set(sameName(column.text), values);
  }
  return found;
}

function valuesFrom(tokens: readonly SqliteToken[], from: number): string[] | undefined {
  const values: string[] = [];
  for (let at = from; ; at += 2) {
    const value = tokens[at];
    const mark = tokens[at + 1]?.text;
    if (value?.kind !== 'string' && value?.kind !== 'number') return undefined;
    values.push(value.text);
    // More than the list: another condition.
    if (mark === ')') return tokens[at + 2]?.text === ')' ? values : undefined;
    if (mark !== ',') return undefined;
  }
}
