import type { TypeFamily } from '../content-schema.ts';
import { Definition } from './definition.ts';

/** A type as a column's definition uses it. */
export interface TypeUse {
  /** As it stands there, words in lower case. */
  text: string;
  /** Its parts: `public`, `mood`; `character varying` is one. */
  name: readonly string[];
  isArray: boolean;
  /** The first number in parentheses. */
  length?: number;
}

const FAMILIES: readonly (readonly [TypeFamily, string])[] = [
  ['text', 'text|character varying|varchar|character|char|bpchar|name|citext'],
  ['integer', 'smallint|integer|bigint|int|int2|int4|int8|smallserial|serial|bigserial|serial2|serial4|serial8|oid'],
  ['numeric', 'numeric|decimal|real|double precision|float|float4|float8'],
  ['boolean', 'boolean|bool'],
  ['date', 'date'],
  ['timestamp', 'timestamp|timestamptz|timestamp with time zone|timestamp without time zone'],
  ['time', 'time|timetz|time with time zone|time without time zone'],
  ['interval', 'interval'],
  ['uuid', 'uuid'],
  ['json', 'json|jsonb'],
  ['bytes', 'bytea'],
  ['hstore', 'hstore'],
  ['inet', 'inet|cidr'],
  ['mac', 'macaddr|macaddr8'],
  ['xml', 'xml'],
  ['search', 'tsvector|tsquery'],
  ['geometry', 'point|line|lseg|box|path|polygon|circle|geometry|geography|box2d|box3d'],
];
const FAMILY_OF = new Map(FAMILIES.flatMap(([family, names]) => names.split('|').map((name) => [name, family])));
const WITH_LENGTH = new Set(['character varying', 'varchar', 'character', 'char', 'bpchar']);
/** Words that a type may have after its first one. */
const MORE_WORDS = new Set(['varying', 'precision', 'with', 'without', 'time', 'zone', 'array']);
const INTERVAL_WORDS = new Set(['year', 'month', 'day', 'hour', 'minute', 'second', 'to']);

/** Reads a type, and stands behind it then; undefined where none comes next. */
export function readType(definition: Definition): TypeUse | undefined {
  const begin = definition.at;
  definition.take('setof');
  const quotesFirst = definition.tokens[definition.at]?.kind === 'name';
  const name = definition.name();
  if (name === undefined) return undefined;
  const isBuiltIn = !quotesFirst && (name.length === 1 || name[0] === 'pg_catalog');
  const words = [name.at(-1) ?? ''];
  let [length, isArray]: [number | undefined, boolean] = [undefined, false];
  for (;;) {
    const token = definition.tokens[definition.at];
    if (definition.is('(')) {
      const inner = Number(definition.group()[0]?.text);
      if (Number.isInteger(inner)) length ??= inner;
    } else if (definition.take('[')) {
      while (definition.at < definition.tokens.length && !definition.take(']')) definition.at++;
      isArray = true;
    } else if (isBuiltIn && token?.kind === 'word' && isMoreOf(words, token.text)) {
      if (token.text === 'array') isArray = true;
      else words.push(token.text);
      definition.at++;
    } else break;
  }
  const text = typeText(new Definition(definition.tokens.slice(begin, definition.at)));
  return { text, name: [...name.slice(0, -1), words.join(' ')], isArray, ...(length === undefined ? {} : { length }) };
}

/** The family of a type that no statement of the dump makes. */
export function builtInFamily({ name, isArray }: TypeUse): TypeFamily {
  if (isArray) return 'array';
  const last = name.at(-1) ?? '';
  if (last.startsWith('interval')) return 'interval';
  return FAMILY_OF.get(last) ?? 'other';
}

/** Characters that a type allows, where it limits them. */
export function builtInLength({ name, isArray, length, text }: TypeUse): number | undefined {
  const last = name.at(-1) ?? '';
  if (isArray || !WITH_LENGTH.has(last)) return undefined;
  // Without a length a `character` is one; `"char"` is one byte; a `bpchar` is of any length.
  if (length === undefined && (last === 'character' || last === 'char' || text.endsWith('"char"'))) return 1;
  return length;
}

function isMoreOf(words: readonly string[], next: string): boolean {
  if (words[0] === 'interval' && INTERVAL_WORDS.has(next)) return true;
  return MORE_WORDS.has(next);
}

function typeText({ tokens }: Definition): string {
  let text = '';
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1];
    const isWord = token.kind !== 'symbol' && token.kind !== 'number';
    const followsWord =
      before !== undefined && (before.kind === 'word' || before.kind === 'name' || before.text === ')');
    text += `${isWord && followsWord ? ' ' : ''}${Buffer.from(token.text, 'latin1').toString('utf8')}`;
  }
  return text;
}
