/**
 * Makes the word lists of src/downloads/masking/words/ from @faker-js/faker. Run it only where other pseudonyms are wanted: lists decide what each
 * value becomes, so a change of one is a change of MASKING_VERSION.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allLocales, base, Faker } from '@faker-js/faker';

const FOLDER = join(import.meta.dirname, '..', 'src', 'downloads', 'masking', 'words');
const LINE_WIDTH = 116;

/** Plain ASCII fits into a column of any encoding; a known greatest length lets a policy be checked against a column's width. */
const NAME = /^[A-Z][a-z]{2,11}$/;
const PLACE = /^[A-Z][A-Za-z .'-]{2,23}$/;

interface ListFile {
  file: string;
  constant: string;
  about: string;
  words: readonly string[];
}

const { en, de, fr, es, it, nl, pl } = allLocales;
const european = [en, de, fr, es, it, nl, pl];

const lists: ListFile[] = [
  {
    file: 'first-names.ts',
    constant: 'FIRST_NAMES',
    about: 'First names of people, common in Europe and America.',
    words: chosen(
      european.flatMap((locale) => texts(locale?.person?.first_name)),
      NAME,
      2048,
    ),
  },
  {
    file: 'last-names.ts',
    constant: 'LAST_NAMES',
    about: 'Family names, common in Europe and America.',
    words: chosen(
      european.flatMap((locale) => texts(locale?.person?.last_name)),
      NAME,
      4096,
    ),
  },
  {
    file: 'cities.ts',
    constant: 'CITIES',
    about: 'Names of towns.',
    words: chosen(texts(en?.location?.city_name), PLACE, 1024),
  },
  {
    file: 'streets.ts',
    constant: 'STREETS',
    about: 'Names of streets, without a number.',
    words: chosen(texts(en?.location?.street_name), PLACE, 1024),
  },
  {
    file: 'countries.ts',
    constant: 'COUNTRIES',
    about: 'Names of countries in English.',
    words: chosen(texts(en?.location?.country), PLACE, 256),
  },
  {
    file: 'country-codes.ts',
    constant: 'COUNTRY_CODES',
    about: 'ISO 3166-1: two letters and three letters of each country.',
    words: chosen(countryCodes(), /^[A-Z]{2} [A-Z]{3}$/, 256),
  },
  {
    file: 'latin-words.ts',
    constant: 'LATIN_WORDS',
    about: 'Words of text that means nothing.',
    words: chosen(texts(en?.lorem?.word), /^[a-z]{2,12}$/, 256),
  },
  { file: 'user-agents.ts', constant: 'USER_AGENTS', about: 'What browsers call themselves.', words: userAgents(64) },
];

await mkdir(FOLDER, { recursive: true });
for (const list of lists) {
  await writeFile(join(FOLDER, list.file), source(list));
  process.stdout.write(
    `${list.constant}: ${list.words.length}, at most ${Math.max(...list.words.map((word) => word.length))} characters\n`,
  );
}

/** All strings within lists within objects. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(texts);
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(texts) : [];
}

/** At most so many of those that match, spread evenly over the alphabet. */
function chosen(words: readonly string[], pattern: RegExp, most: number): string[] {
  const sorted = [...new Set(words.map((word) => word.trim()))].filter((word) => pattern.test(word)).sort();
  if (sorted.length <= most) return sorted;
  return Array.from({ length: most }, (_, index) => sorted[Math.floor((index * sorted.length) / most)] ?? '');
}

function countryCodes(): string[] {
  const codes: unknown = base.location?.country_code;
  if (!Array.isArray(codes)) throw new Error('faker has its codes of countries elsewhere now');
  return codes.map((code: { alpha2: string; alpha3: string }) => `${code.alpha2} ${code.alpha3}`);
}

function userAgents(count: number): string[] {
  const faker = new Faker({ locale: [en, base], seed: 1 });
  const found = new Set<string>();
  while (found.size < count) {
    const agent = faker.internet.userAgent();
    if (agent.startsWith('Mozilla/') && agent.length <= 160) found.add(agent);
  }
  return [...found].sort();
}

function source({ constant, about, words }: ListFile): string {
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line !== '' && line.length + word.length + 1 > LINE_WIDTH) {
      lines.push(line);
      line = '';
    }
    line += `${line === '' ? '' : '|'}${word}`;
  }
  lines.push(line);
  return [
    `/** ${about} Made by \`npm run make-word-lists\` from @faker-js/faker (MIT): a change of it is a change of MASKING_VERSION. */`,
    `export const ${constant}: readonly string[] = \``,
    ...lines,
    '`.trim().split(/[|\\n]/);',
    '',
  ].join('\n');
}
