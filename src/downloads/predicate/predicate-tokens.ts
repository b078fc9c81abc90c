import { HoldfastError } from '../../core/errors.ts';

export type PredicateToken =
  | { kind: 'word'; text: string; at: number }
  | { kind: 'column'; text: string; at: number }
  | { kind: 'string'; text: string; at: number }
  | { kind: 'number'; text: string; at: number }
  | { kind: 'sign'; text: string; at: number }
  | { kind: 'end'; text: ''; at: number };

/** Longest condition that is read, in characters. */
export const LONGEST_PREDICATE = 10_000;

/**
 * The words, names, strings, numbers and signs of a condition. A word is a keyword or a name without quotes; `"a b"` and `` `a b` `` are names and never keywords.
 * @throws HoldfastError `predicate-invalid` (invalid) naming the position
 */
export function predicateTokens(text: string): PredicateToken[] {
  if (text.length > LONGEST_PREDICATE) {
    throw predicateFault(`it is longer than ${LONGEST_PREDICATE} characters`, LONGEST_PREDICATE);
  }
  const tokens: PredicateToken[] = [];
  let at = matchLength(SPACE, text, 0);
  while (at < text.length) {
    const token = tokenAt(text, at);
    tokens.push(token.value);
    at = token.end + matchLength(SPACE, text, token.end);
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

/** @param at index in the condition's text; people count from 1 */
export function predicateFault(what: string, at: number): HoldfastError {
  return new HoldfastError(
    'invalid',
    'predicate-invalid',
    `The condition cannot be read: ${what}, at character ${at + 1}. See "Conditions" in docs/variants.md.`,
    { details: { position: at + 1 } },
  );
}

function tokenAt(text: string, at: number): { value: PredicateToken; end: number } {
  const character = text[at] as string;
  if (character === "'" || character === '"' || character === '`') return quoted(text, at, character);
  const word = matchLength(WORD, text, at);
  if (word > 0) return token('word', text.slice(at, at + word), at, word);
  const number = matchLength(NUMBER, text, at);
  if (number > 0) {
    if (matchLength(WORD, text, at + number) > 0) throw predicateFault('a number runs into a word', at + number);
    return token('number', text.slice(at, at + number), at, number);
  }
  const sign = matchLength(SIGN, text, at);
  if (sign > 0) return token('sign', text.slice(at, at + sign), at, sign);
  throw predicateFault(
    `${JSON.stringify(String.fromCodePoint(text.codePointAt(at) as number))} has no meaning here`,
    at,
  );
}

function token(kind: 'word' | 'number' | 'sign', text: string, at: number, length: number) {
  return { value: { kind, text, at }, end: at + length };
}

function quoted(text: string, at: number, quote: string): { value: PredicateToken; end: number } {
  let end = at + 1;
  for (;;) {
    end = text.indexOf(quote, end);
    if (end < 0) throw predicateFault(quote === "'" ? 'a string is not closed' : 'a quoted name is not closed', at);
    if (text[end + 1] !== quote) break;
    end += 2;
  }
  const content = text.slice(at + 1, end).replaceAll(quote + quote, quote);
  if (quote === "'") return { value: { kind: 'string', text: content, at }, end: end + 1 };
  if (content === '') throw predicateFault('a quoted name is empty', at);
  return { value: { kind: 'column', text: content, at }, end: end + 1 };
}

function matchLength(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex - at : 0;
}

const SPACE = /[ \t\r\n]+/y;
const WORD = /[\p{L}_][\p{L}\p{N}\p{M}_$]*/uy;
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const SIGN = /<>|!=|<=|>=|[=<>(),]/y;
