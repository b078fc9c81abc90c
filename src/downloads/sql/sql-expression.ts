import { HoldfastError } from '../../core/errors.ts';
import type { SqlDialect } from '../../core/ports/service-download.ts';
import { hasComment, identifierOf, type TextToken, tokensOf } from './sql-tokens.ts';
import { withoutVariables } from './without-variables.ts';

/** One expression that somebody wrote, found to stay within the parentheses that it is put into. */
export interface SqlExpression {
  /** With one space or line end in the place of each white space outside of literals, so that no line of it is a client's command. */
  text: string;
  /** What may be names of columns, as the database understands them: words, keywords among them, and quoted names that are no function, qualifier or type behind `::`. */
  names: readonly string[];
}

const CLOSED_BY: Readonly<Record<string, string>> = { '(': ')', '[': ']' };
/** Words that begin a query: the expression would read other rows. */
export const QUERIES: ReadonlySet<string> = new Set(['select', 'table', 'values']);
const UNCLOSED = 'has a quote, a parenthesis or a comment that is not closed';

/**
 * Reads an expression as the clients and servers of the dialect would. It may mean nothing to the database: only that it is one expression, and ends where it
 * ends, is sure afterwards.
 * @throws Error that says what is wrong with it, within a sentence, and quotes nothing of it
 */
export function sqlExpression(written: string, dialect: SqlDialect): SqlExpression {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(written)) throw new Error('has a control character in it');
  // A comment up to the end of its line must not take the end with it.
  const statement = Buffer.from(`${written}\n;`);
  const tokens = readTokens(statement, dialect);
  if (hasComment(statement, tokens)) throw new Error('has a comment in it; comments of YAML may stand behind it');
  const inner = tokens.slice(0, -1);
  const isEnded = tokens.at(-1)?.text === ';' && tokens.at(-1)?.end === statement.length;
  if ((isEnded ? inner : tokens).some(isSymbol(';'))) throw new Error('has a `;` outside of quotes');
  if (!isEnded) throw new Error(UNCLOSED);
  if (inner.length === 0) throw new Error('is empty');
  requireOne(inner);
  requireOwnRow(inner, dialect);
  if (dialect === 'postgresql' && !withoutVariables(statement).equals(statement))
    throw new Error('has a colon that psql takes for the beginning of a variable; put a space behind it');
  return { text: spaced(inner, statement), names: inner.flatMap((_, at) => nameAt(inner, at) ?? []) };
}

function readTokens(statement: Buffer, dialect: SqlDialect): TextToken[] {
  try {
    return tokensOf(statement, dialect);
  } catch (error) {
    if (!(error instanceof HoldfastError) || typeof error.details.what !== 'string') throw error;
    throw new Error(`cannot be read in one way alone: ${error.details.what}`);
  }
}

/** Closed in itself, and one. */
function requireOne(tokens: readonly TextToken[]): void {
  const open: string[] = [];
  for (const { kind, text } of tokens) {
    if (kind !== 'symbol') continue;
    const closing = CLOSED_BY[text];
    if (closing !== undefined) open.push(closing);
    else if ((text === ')' || text === ']') && open.pop() !== text)
      throw new Error(`closes a \`${text}\` that was not opened`);
    else if (text === ',' && open.length === 0) throw new Error('is more than one expression: it has a comma in it');
  }
  if (open.length > 0) throw new Error(UNCLOSED);
}

function requireOwnRow(tokens: readonly TextToken[], dialect: SqlDialect): void {
  for (const { kind, text } of tokens) {
    if (kind === 'word' && QUERIES.has(text))
      throw new Error(
        `has the word ${text.toUpperCase()} in it: it may read the columns of its own row and nothing else`,
      );
    const isParameter = kind === 'number' && text.startsWith('$');
    if (isParameter || (dialect === 'mysql' && kind === 'symbol' && text === '@'))
      throw new Error('has a variable in it, which nobody sets');
  }
}

function spaced(tokens: readonly TextToken[], statement: Buffer): string {
  const parts = tokens.map((token, at) => {
    const before = tokens[at - 1];
    const text = statement.toString('utf8', token.start, token.end);
    if (before === undefined || before.end === token.start) return text;
    // Two strings of PostgreSQL are one where a line end stands between them, and nothing otherwise.
    const isLineNeeded =
      before.kind === 'string' &&
      token.kind === 'string' &&
      statement.includes('\n', before.end) &&
      statement.indexOf('\n', before.end) < token.start;
    return `${isLineNeeded ? '\n' : ' '}${text}`;
  });
  return parts.join('');
}

function nameAt(tokens: readonly TextToken[], at: number): string | undefined {
  const [token, before, next] = [tokens[at], tokens[at - 1], tokens[at + 1]];
  const name = identifierOf(token);
  if (name === undefined) return undefined;
  const isCast = before?.text === ':' && tokens[at - 2]?.text === ':';
  const isOther = next?.text === '(' || next?.text === '.' || next?.kind === 'string';
  // `extract(year FROM born)`
  const isField = before?.text === '(' && tokens[at - 2]?.text === 'extract' && next?.text === 'from';
  if (isCast || isOther || isField || (before?.kind === 'word' && before.text === 'as')) return undefined;
  return Buffer.from(name, 'latin1').toString('utf8');
}

function isSymbol(symbol: string): (token: TextToken) => boolean {
  return ({ kind, text }) => kind === 'symbol' && text === symbol;
}
