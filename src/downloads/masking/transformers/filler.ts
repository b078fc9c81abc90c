import { z } from 'zod';
import { viewed } from '../byte-values.ts';
import { copied } from '../copied-bytes.ts';
import { Draws } from '../draws.ts';
import { seededFunction } from '../seeded-function.ts';
import type { SeededOutput } from '../seeded-output.ts';
import type { Transformer } from '../transformer.ts';
import { LATIN_WORDS } from '../words/latin-words.ts';
import { bytesOf } from './byte-text.ts';

/** So many words, and then from the beginning again. */
const TEXT_WORDS = 2048;

export const lorem: Transformer<Record<string, never>> = {
  name: 'lorem',
  description: 'Latin words of the same length in all.',
  options: z.strictObject({}),
  facts: () => ({
    accepts: ['text'],
    isInjective: false,
    mayGiveNull: false,
    maxLength: 'same',
    isTraceable: false,
  }),
  create: (_options, { key }) => seededFunction(loremOutput(), key),
  seeded: loremOutput,
};

/** One text for all; a value begins at the word that its pseudonym says. */
function loremOutput(): SeededOutput {
  const draws = new Draws(LOREM_SEED);
  const words = Array.from({ length: TEXT_WORDS }, () => LATIN_WORDS[draws.below(LATIN_WORDS.length)] ?? '');
  const text = viewed(Buffer.from(`${words.join(' ')} `));
  const textLength = text.bytes.length;
  let start = 0;
  const starts = words.map((word) => {
    const begin = start;
    start += word.length + 1;
    return begin;
  });
  return {
    isPlain: true,
    hasQuotes: false,
    room: (length) => length,
    write: (value, out, at) => {
      const length = countCharacters(value.bytes, value.start, value.end);
      if (length === 0) return at;
      draws.begin(value.pseudonyms, value.seed);
      const end = at + length;
      let from = starts[draws.below(TEXT_WORDS)] ?? 0;
      for (let place = at; place < end; from = 0)
        place = copied(text, from, Math.min(textLength, from + end - place), out, place);
      if (out.bytes[end - 1] === SPACE) out.bytes[end - 1] = FULL_STOP;
      return end;
    },
  };
}

const LOREM_SEED = Buffer.from('words of lorem..');
const SPACE = 0x20;
const FULL_STOP = 0x2e;

interface RedactOptions extends Record<string, unknown> {
  text: string;
  fill?: string | undefined;
}

export const redact: Transformer<RedactOptions> = {
  name: 'redact',
  description:
    '[redacted] or a text of yours in place of every text; `fill: "*"` repeats one character to the length of the original.',
  options: z.strictObject({
    text: z.string().max(1000).default('[redacted]'),
    fill: z
      .string()
      .refine((fill) => charactersOf(fill) === 1, { message: 'is not one character' })
      .optional(),
  }),
  shorthand: 'text',
  facts: ({ text, fill }) => ({
    accepts: ['text'],
    isInjective: false,
    mayGiveNull: false,
    maxLength: fill === undefined ? charactersOf(text) : 'same',
    isTraceable: false,
  }),
  create: ({ text, fill }) => {
    if (fill !== undefined) return (value) => fill.repeat(charactersOf(value));
    return (value) => (value === '' ? '' : text);
  },
};

export const bytes: Transformer<Record<string, never>> = {
  name: 'bytes',
  description: 'As many zero bytes.',
  options: z.strictObject({}),
  facts: () => ({
    accepts: ['bytes'],
    isInjective: false,
    mayGiveNull: false,
    maxLength: 'same',
    isTraceable: false,
  }),
  create: () => (value) => {
    if (value === '') return '';
    if (bytesOf(value) === undefined) throw new RangeError('Bytes were expected, as \\x and hexadecimal digits.');
    return `\\x${'0'.repeat(value.length - 2)}`;
  },
};

/** Code points, as databases count them. */
export function charactersOf(text: string): number {
  let pairs = 0;
  for (let at = 0; at < text.length - 1; at++) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) pairs++;
  }
  return text.length - pairs;
}

/** The same of a text in UTF-8. */
export function countCharacters(bytes: Uint8Array, start: number, end: number): number {
  let characters = 0;
  // Bytes 10xxxxxx go on with a character.
  for (let at = start; at < end; at++) if (((bytes[at] as number) & 0xc0) !== 0x80) characters++;
  return characters;
}
