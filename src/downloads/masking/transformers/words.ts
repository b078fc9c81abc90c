import { z } from 'zod';
import type { ViewedBytes } from '../byte-values.ts';
import { Draws } from '../draws.ts';
import { PSEUDONYM_BYTES } from '../pseudonym.ts';
import { remembered } from '../remembered.ts';
import { seededFunction } from '../seeded-function.ts';
import { hasQuotes, isPlain, type SeededOutput, type SeededValue } from '../seeded-output.ts';
import type { ColumnFacts, Transformer } from '../transformer.ts';
import { CITIES } from '../words/cities.ts';
import { COUNTRIES } from '../words/countries.ts';
import { COUNTRY_CODES } from '../words/country-codes.ts';
import { FIRST_NAMES } from '../words/first-names.ts';
import { LAST_NAMES } from '../words/last-names.ts';
import { STREETS } from '../words/streets.ts';
import { USER_AGENTS } from '../words/user-agents.ts';
import { WordList } from '../words/word-list.ts';
import { TEXT } from './families.ts';
import { countCharacters } from './filler.ts';

type NoOptions = Record<string, never>;

const COMPANY_FORMS = ['Group', 'Inc', 'LLC', 'Ltd', 'GmbH', 'and Sons', 'Partners', 'Holding'];
const HOUSE_NUMBERS = Array.from({ length: 200 }, (_, index) => String(index + 1));

export const name = fromLists(
  'name',
  'A first and a last name, out of 2048 and 4096.',
  25,
  () => [FIRST_NAMES, LAST_NAMES],
  inTurn,
);

export const firstName = fromLists('first_name', 'One of 2048 first names.', 12, () => [FIRST_NAMES], inTurn);

export const lastName = fromLists('last_name', 'One of 4096 last names.', 12, () => [LAST_NAMES], inTurn);

export const company = fromLists(
  'company',
  'A last name and what companies call themselves.',
  21,
  () => [LAST_NAMES, COMPANY_FORMS],
  inTurn,
);

export const street = fromLists(
  'street',
  'A house number up to 200 and one of 671 streets.',
  28,
  () => [HOUSE_NUMBERS, STREETS],
  inTurn,
);

export const city = fromLists('city', 'One of 925 towns.', 23, () => [CITIES], inTurn);

export const userAgent = fromLists(
  'user_agent',
  'What one of 64 browsers calls itself.',
  137,
  () => [USER_AGENTS],
  inTurn,
);

export const country = fromLists(
  'country',
  'A country: two letters (ISO 3166-1) in place of two, three in place of three, otherwise its name in English.',
  // What a column of codes holds is short.
  ({ maxLength = 24 }) => (maxLength <= 3 ? Math.max(2, maxLength) : 24),
  () => [COUNTRY_CODES.map((codes) => codes.slice(0, 2)), COUNTRY_CODES.map((codes) => codes.slice(3)), COUNTRIES],
  (lists) => {
    const [twoLetters, threeLetters, countries] = lists as [WordWriter, WordWriter, WordWriter];
    return (draws, out, at, { bytes, start, end }) => {
      const characters = countCharacters(bytes, start, end);
      if (characters > 3) return countries(draws, out, at);
      const written = (characters === 3 ? threeLetters : twoLetters)(draws, out, at);
      if (!hasCapital(bytes, start, end))
        for (let place = at; place < written; place++) out.bytes[place] = (out.bytes[place] as number) | SMALL;
      return written;
    };
  },
);

/** Writes what the draws say, from `at` on; the position after it. */
type DrawnWriter = (draws: Draws, out: ViewedBytes, at: number, value: SeededValue) => number;
/** Writes a word of one list. */
type WordWriter = (draws: Draws, out: ViewedBytes, at: number) => number;

/** A word of each list, with spaces between them. */
function inTurn([first, ...others]: readonly WordWriter[]): DrawnWriter {
  return (draws, out, at) => {
    let end = first === undefined ? at : first(draws, out, at);
    for (const other of others) {
      out.bytes[end] = SPACE;
      end = other(draws, out, end + 1);
    }
    return end;
  };
}

/** Of lists of words: many values come to the same, so none of these is for a column that must be unique. */
function fromLists(
  transformer: string,
  description: string,
  maxLength: number | ((column: ColumnFacts) => number),
  lists: () => readonly (readonly string[])[],
  makeWriter: (lists: readonly WordWriter[]) => DrawnWriter,
): Transformer<NoOptions> {
  let output: SeededOutput | undefined;
  const seeded = () => {
    // Lists of bytes are made where they are used.
    output ??= drawnOutput(lists(), makeWriter);
    return output;
  };
  return {
    name: transformer,
    description,
    options: z.strictObject({}),
    facts: (_options, column) => ({
      accepts: TEXT,
      isInjective: false,
      mayGiveNull: false,
      maxLength: typeof maxLength === 'number' ? maxLength : maxLength(column),
      isTraceable: false,
    }),
    create: (_options, { key }) => remembered(seededFunction(seeded(), key)),
    seeded,
  };
}

function drawnOutput(
  lists: readonly (readonly string[])[],
  makeWriter: (lists: readonly WordWriter[]) => DrawnWriter,
): SeededOutput {
  const wordLists = lists.map((list) => new WordList(list));
  const write = makeWriter(wordLists.map(wordWriter));
  const draws = new Draws(new Uint8Array(PSEUDONYM_BYTES));
  // A word of each, and what stands behind it.
  const room = wordLists.reduce((bytes, { room }) => bytes + room + 1, 0);
  return {
    isPlain: lists.every((list) => list.every(isPlain)),
    // Some towns and streets have an apostrophe.
    hasQuotes: lists.some((list) => list.some(hasQuotes)),
    room: () => room,
    write: (value, out, at) => {
      if (value.start === value.end) return at;
      draws.begin(value.pseudonyms, value.seed);
      const end = write(draws, out, at, value);
      // By chance the same: the next is most likely another one.
      return isSame(value, out.bytes, at, end) ? write(draws, out, at, value) : end;
    },
  };
}

function wordWriter(words: WordList): WordWriter {
  return (draws, out, at) => words.write(draws.below(words.count), out, at);
}

function isSame({ bytes, start, end }: SeededValue, out: Uint8Array, from: number, to: number): boolean {
  if (end - start !== to - from) return false;
  for (let at = start, place = from; at < end; at++, place++) if (bytes[at] !== out[place]) return false;
  return true;
}

function hasCapital(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) >= 0x41 && (bytes[at] as number) <= 0x5a) return true;
  return false;
}

const SPACE = 0x20;
/** What a small letter of ASCII has more than its capital. */
const SMALL = 0x20;
