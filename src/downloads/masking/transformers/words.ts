import { z } from 'zod';
import { Draws } from '../draws.ts';
import { Pseudonyms } from '../pseudonym.ts';
import { remembered } from '../remembered.ts';
import type { ColumnFacts, Transformer } from '../transformer.ts';
import { CITIES } from '../words/cities.ts';
import { COUNTRIES } from '../words/countries.ts';
import { COUNTRY_CODES } from '../words/country-codes.ts';
import { FIRST_NAMES } from '../words/first-names.ts';
import { LAST_NAMES } from '../words/last-names.ts';
import { STREETS } from '../words/streets.ts';
import { USER_AGENTS } from '../words/user-agents.ts';
import { TEXT } from './families.ts';

type NoOptions = Record<string, never>;

const COMPANY_FORMS = ['Group', 'Inc', 'LLC', 'Ltd', 'GmbH', 'and Sons', 'Partners', 'Holding'];
const HOUSE_NUMBERS = 200;

export const name = fromLists('name', 'A first and a last name, out of 2048 and 4096.', 25, (draws) => {
  return `${word(FIRST_NAMES, draws)} ${word(LAST_NAMES, draws)}`;
});

export const firstName = fromLists('first_name', 'One of 2048 first names.', 12, (draws) => word(FIRST_NAMES, draws));

export const lastName = fromLists('last_name', 'One of 4096 last names.', 12, (draws) => word(LAST_NAMES, draws));

export const company = fromLists('company', 'A last name and what companies call themselves.', 21, (draws) => {
  return `${word(LAST_NAMES, draws)} ${word(COMPANY_FORMS, draws)}`;
});

export const street = fromLists('street', 'A house number up to 200 and one of 671 streets.', 28, (draws) => {
  return `${draws.below(HOUSE_NUMBERS) + 1} ${word(STREETS, draws)}`;
});

export const city = fromLists('city', 'One of 925 towns.', 23, (draws) => word(CITIES, draws));

export const userAgent = fromLists('user_agent', 'What one of 64 browsers calls itself.', 137, (draws) => {
  return word(USER_AGENTS, draws);
});

export const country = fromLists(
  'country',
  'A country: two letters (ISO 3166-1) in place of two, three in place of three, otherwise its name in English.',
  // What a column of codes holds is short.
  ({ maxLength = 24 }) => (maxLength <= 3 ? Math.max(2, maxLength) : 24),
  (draws, value) => {
    if (value.length > 3) return word(COUNTRIES, draws);
    const codes = word(COUNTRY_CODES, draws);
    const code = value.length === 3 ? codes.slice(3) : codes.slice(0, 2);
    return value === value.toLowerCase() ? code.toLowerCase() : code;
  },
);

/** Of lists of words: many values come to the same, so none of these is for a column that must be unique. */
function fromLists(
  transformer: string,
  description: string,
  maxLength: number | ((column: ColumnFacts) => number),
  draw: (draws: Draws, value: string) => string,
): Transformer<NoOptions> {
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
    create: (_options, { key }) => {
      const pseudonyms = new Pseudonyms(key);
      return remembered((value) => {
        if (value === '') return '';
        const draws = new Draws(pseudonyms.of(value));
        const drawn = draw(draws, value);
        // By chance the same: the next is most likely another one.
        return drawn === value ? draw(draws, value) : drawn;
      });
    },
  };
}

function word(words: readonly string[], draws: Draws): string {
  return words[draws.below(words.length)] ?? '';
}
