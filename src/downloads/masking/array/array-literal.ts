import { inQuotes, quotedEnd, unescaped } from '../quoted-text.ts';

/** Thrown for text that is no array as PostgreSQL prints it. Never holds any of it. */
export class ArrayTextError extends Error {
  constructor(position: number) {
    super(`There is no array of PostgreSQL at character ${position + 1}.`);
    this.name = 'ArrayTextError';
  }
}

/**
 * Replaces the elements of an array's text (`{"a,b",NULL,{c}}`, `[0:1]={1,2}`) at any depth; NULL stays NULL. Braces, bounds and elements that do not change stay as they are
 * written. After "Array Input and Output Syntax" of PostgreSQL's manual.
 * @throws ArrayTextError
 */
export function rewriteArray(text: string, change: (element: string) => string | null): string {
  const bounds = matchEnd(BOUNDS, text, 0);
  let out = '';
  let from = 0;
  let depth = 0;
  let at = bounds;
  // Between elements the grammar has two states: an element may come, or a comma must.
  let wantsElement = true;
  let mayClose = false;
  do {
    at = matchEnd(SPACE, text, at);
    const character = text[at];
    if (character === '{' && wantsElement) {
      if (++depth > DEEPEST_ARRAY) throw new ArrayTextError(at);
      mayClose = true;
      at++;
    } else if (character === '}' && depth > 0 && (mayClose || !wantsElement)) {
      depth--;
      wantsElement = false;
      at++;
    } else if (character === ',' && depth > 0 && !wantsElement) {
      wantsElement = true;
      mayClose = false;
      at++;
    } else {
      const end = depth > 0 && wantsElement ? elementEnd(text, at) : -1;
      if (end <= at) throw new ArrayTextError(at);
      const written = text.slice(at, end);
      const element = elementOf(written);
      const changed = element === null ? null : change(element);
      if (changed !== element) {
        out += text.slice(from, at) + writtenElement(changed);
        from = end;
      }
      wantsElement = false;
      at = end;
    }
  } while (depth > 0);
  at = matchEnd(SPACE, text, at);
  if (at < text.length || text[bounds] !== '{') throw new ArrayTextError(at);
  return from === 0 ? text : out + text.slice(from);
}

/** @returns null for NULL */
function elementOf(written: string): string | null {
  if (written[0] === '"') return unescaped(written.slice(1, -1));
  const bare = written.trimEnd();
  return bare.length === 4 && bare.toUpperCase() === 'NULL' ? null : unescaped(bare);
}

/** @returns at most `at`: no element begins here, or it does not end */
function elementEnd(text: string, at: number): number {
  if (text[at] === '"') return quotedEnd(text, at);
  let end = at;
  while (end < text.length && !ENDS_ELEMENT.has(text[end] as string)) end += text[end] === '\\' ? 2 : 1;
  return end <= text.length ? end : -1;
}

/** As array_out writes it. */
function writtenElement(element: string | null): string {
  if (element === null) return 'NULL';
  if (!NEEDS_QUOTES.test(element)) return element;
  return inQuotes(element);
}

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** PostgreSQL itself allows six. */
const DEEPEST_ARRAY = 6;
const BOUNDS = /(?:(?:\[[+-]?\d{1,10}:[+-]?\d{1,10}\]){1,6}=)?/y;
const SPACE = /[ \t\n\r\v\f]*/y;
const ENDS_ELEMENT = new Set(['"', '{', '}', ',']);
const NEEDS_QUOTES = /^$|^null$|["\\{}, \t\n\r\v\f]/i;
