/** A part of a statement of SQLite; white space and comments are left out. */
export interface SqliteToken {
  kind: 'word' | 'name' | 'string' | 'number' | 'symbol';
  /** Names and strings without their quotes, everything else as it stands. */
  text: string;
  start: number;
  end: number;
}

const TOKEN =
  /[\s\uFEFF]+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|(?<string>[xX]?'(?:[^']|'')*')|(?<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])|(?<number>\d[\w.]*)|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<symbol>[\s\S])/gy;

/** The tokens of a statement, after https://www.sqlite.org/lang_expr.html and SQLite's tokenize.c. */
export function sqliteTokens(sql: string): SqliteToken[] {
  const tokens: SqliteToken[] = [];
  for (const match of sql.matchAll(TOKEN)) {
    const start = match.index;
    const end = start + match[0].length;
    const groups = match.groups ?? {};
    if (groups.word !== undefined) tokens.push({ kind: 'word', text: groups.word, start, end });
    else if (groups.name !== undefined) tokens.push({ kind: 'name', text: unquoted(groups.name), start, end });
    else if (groups.string !== undefined) tokens.push({ kind: 'string', text: unquoted(groups.string), start, end });
    else if (groups.number !== undefined) tokens.push({ kind: 'number', text: groups.number, start, end });
    else if (groups.symbol !== undefined) tokens.push({ kind: 'symbol', text: groups.symbol, start, end });
  }
  return tokens;
}

/** What SQLite compares names by: upper and lower case of ASCII letters are the same. */
export function sameName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** True where the token is this keyword. */
export function isWord(token: SqliteToken | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text.toLowerCase());
}

/** True where the token may name something; SQLite takes a string for a name too. */
export function isName(token: SqliteToken | undefined): token is SqliteToken {
  return token !== undefined && (token.kind === 'word' || token.kind === 'name' || token.kind === 'string');
}

export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function unquoted(text: string): string {
  if (text.startsWith('[')) return text.slice(1, -1);
  const quote = text.at(-1) ?? '';
  return text.slice(text.indexOf(quote) + 1, -1).replaceAll(quote + quote, quote);
}
