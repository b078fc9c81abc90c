import { isName, isWord, type SqliteToken, sameName, sqliteTokens } from './sqlite-tokens.ts';

/**
 * The definition of a table without its foreign keys to some others, after https://www.sqlite.org/syntax/foreign-key-clause.html.
 * @param targets Names as `sameName` gives them
 */
export function withoutForeignKeysTo(sql: string, targets: ReadonlySet<string>): string {
  if (targets.size === 0) return sql;
  const tokens = sqliteTokens(sql);
  let given = '';
  let from = 0;
  for (const [at, token] of tokens.entries()) {
    const target = tokens[at + 1];
    if (!isWord(token, 'references') || !isName(target) || !targets.has(sameName(target.text))) continue;
    given += sql.slice(from, tokens[beginOf(tokens, at)]?.start);
    from = tokens[endOf(tokens, at + 2) - 1]?.end ?? sql.length;
  }
  return given + sql.slice(from);
}

/** Where the constraint begins whose word REFERENCES stands at a position: with its name, and for one of the table with the comma before it. */
function beginOf(tokens: readonly SqliteToken[], references: number): number {
  let begin = references;
  if (tokens[references - 1]?.text === ')') {
    let open = references - 1;
    while (open > 0 && tokens[open]?.text !== '(') open--;
    if (isWord(tokens[open - 1], 'key') && isWord(tokens[open - 2], 'foreign')) begin = open - 2;
  }
  if (isWord(tokens[begin - 2], 'constraint')) begin -= 2;
  return begin < references && tokens[begin - 1]?.text === ',' ? begin - 1 : begin;
}

/** The position after the columns, actions and modes that may follow a target's name. */
function endOf(tokens: readonly SqliteToken[], from: number): number {
  let at = from;
  if (tokens[at]?.text === '(') {
    while (at < tokens.length && tokens[at]?.text !== ')') at++;
    at++;
  }
  for (;;) {
    if (isWord(tokens[at], 'on') && isWord(tokens[at + 1], 'delete', 'update'))
      at += isWord(tokens[at + 2], 'set', 'no') ? 4 : 3;
    else if (isWord(tokens[at], 'match')) at += 2;
    else if (isWord(tokens[at], 'not') && isWord(tokens[at + 1], 'deferrable')) at++;
    else if (isWord(tokens[at], 'deferrable')) at += isWord(tokens[at + 1], 'initially') ? 3 : 1;
    else return at;
  }
}
