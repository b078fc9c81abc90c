import { inQuotes, quotedEnd, unescaped } from '../quoted-text.ts';

/** Thrown for text that is no hstore as PostgreSQL prints it. Never holds any of it. */
export class HstoreTextError extends Error {
  constructor(position: number) {
    super(`There is no hstore at character ${position + 1}.`);
    this.name = 'HstoreTextError';
  }
}

export interface HstorePair {
  key: string;
  value: string | null;
}

/**
 * Replaces keys and values of an hstore's text (`"a"=>"1", "b"=>NULL`). What does not change stays as it is written.
 * @param change gives the pair that stands in the place of one; the same object where nothing changes
 * @throws HstoreTextError
 */
export function rewriteHstore(text: string, change: (pair: HstorePair) => HstorePair): string {
  let out = '';
  let from = 0;
  let at = 0;
  while (at < text.length) {
    const keyEnd = demandedEnd(text, at);
    const valueAt = keyEnd + ARROW.length;
    if (!text.startsWith(ARROW, keyEnd)) throw new HstoreTextError(keyEnd);
    const isNull = text.startsWith('NULL', valueAt);
    const end = isNull ? valueAt + 4 : demandedEnd(text, valueAt);
    const value = isNull ? null : unescaped(text.slice(valueAt + 1, end - 1));
    const pair = { key: unescaped(text.slice(at + 1, keyEnd - 1)), value };
    const changed = change(pair);
    if (changed !== pair) {
      out += text.slice(from, at) + writtenPair(changed);
      from = end;
    }
    at = separatorEnd(text, end);
  }
  return from === 0 ? text : out + text.slice(from);
}

function demandedEnd(text: string, at: number): number {
  const end = text[at] === '"' ? quotedEnd(text, at) : -1;
  if (end < 0) throw new HstoreTextError(at);
  return end;
}

function separatorEnd(text: string, at: number): number {
  if (at === text.length) return at;
  if (!text.startsWith(', ', at) || at + 2 === text.length) throw new HstoreTextError(at);
  return at + 2;
}

function writtenPair({ key, value }: HstorePair): string {
  return `${inQuotes(key)}=>${value === null ? 'NULL' : inQuotes(value)}`;
}

const ARROW = '=>';
