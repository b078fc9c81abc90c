import type { SqlDialect } from '../../core/ports/service-download.ts';
import { notSealable } from './not-sealable.ts';
import { SqlScanner, type SqlToken } from './sql-scanner.ts';

/** A token with its text: words in lower case, everything else as it stands, in Latin-1 (one character for each byte). */
export interface TextToken extends SqlToken {
  text: string;
}

export interface TokenOptions {
  /** Only so many, from the first. */
  most?: number;
  /** What the statement ends with. Default a semicolon. */
  delimiter?: string;
}

/** More are never needed, and would take much more memory than the statement itself. */
const MOST = 300_000;

/**
 * The tokens of a whole statement, its delimiter included.
 * @throws HoldfastError `dump-not-sealable` where all are wanted and there are too many
 */
export function tokensOf(statement: Buffer, dialect: SqlDialect, options: TokenOptions = {}): TextToken[] {
  const { most = Number.POSITIVE_INFINITY, delimiter = ';' } = options;
  const found: TextToken[] = [];
  const scanner = new SqlScanner(dialect, delimiter, ({ kind, start, end }) => {
    const text = end - start > 1000 ? '' : statement.toString('latin1', start, end);
    found.push({ kind, start, end, text: kind === 'word' ? lowerCase(text) : text });
    if (found.length > MOST) throw notSealable('it has a statement that is more complicated than those of dumps are');
  });
  const step = most === Number.POSITIVE_INFINITY ? statement.length : 256;
  for (let from = 0; from < statement.length && found.length < most; ) {
    const part = statement.subarray(0, Math.min(from + step, statement.length));
    from = scanner.scan(part, from);
    if (scanner.event === 'ended' || scanner.event === 'command') break;
  }
  return found.slice(0, most);
}

/** Only of ASCII: a byte beyond it is a part of some character. */
function lowerCase(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The identifier that a token stands for, or undefined where it stands for none. In Latin-1. */
export function identifierOf(token: TextToken | undefined): string | undefined {
  if (token?.kind === 'word') return token.text;
  if (token?.kind !== 'name') return undefined;
  const quote = token.text.charAt(0);
  return token.text.slice(1, -1).replaceAll(quote + quote, quote);
}

/** True where something other than white space stands between these tokens, the first ones of a statement. */
export function hasComment(statement: Buffer, tokens: readonly TextToken[]): boolean {
  return tokens.some(({ start }, index) => {
    const end = tokens[index - 1]?.end ?? 0;
    return start > end && !/^\s*$/.test(statement.toString('latin1', end, start));
  });
}

/** A name such as `schema.table` that begins at a token, and the position after it. */
export function qualifiedName(
  tokens: readonly TextToken[],
  from: number,
): { parts: string[]; next: number } | undefined {
  const parts: string[] = [];
  for (let next = from; ; next += 2) {
    const part = identifierOf(tokens[next]);
    if (part === undefined) return undefined;
    parts.push(part);
    if (tokens[next + 1]?.text !== '.') return { parts, next: next + 1 };
  }
}
