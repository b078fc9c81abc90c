import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CITIES } from './cities.ts';
import { COUNTRIES } from './countries.ts';
import { COUNTRY_CODES } from './country-codes.ts';
import { FIRST_NAMES } from './first-names.ts';
import { LAST_NAMES } from './last-names.ts';
import { LATIN_WORDS } from './latin-words.ts';
import { STREETS } from './streets.ts';
import { USER_AGENTS } from './user-agents.ts';

test('lists have as many words as the documentation says, no longer than it says, plain ASCII, none twice', () => {
  const promised: readonly [words: readonly string[], count: number, longest: number][] = [
    [FIRST_NAMES, 2048, 12],
    [LAST_NAMES, 4096, 12],
    [CITIES, 925, 23],
    [STREETS, 671, 24],
    [COUNTRIES, 227, 24],
    [COUNTRY_CODES, 249, 6],
    [LATIN_WORDS, 256, 12],
    [USER_AGENTS, 64, 137],
  ];
  for (const [words, count, longest] of promised) {
    assert.equal(words.length, count);
    assert.equal(new Set(words).size, count);
    assert.equal(Math.max(...words.map((word) => word.length)), longest);
    for (const word of words) assert.match(word, /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/);
  }
});
