import { z } from 'zod';
import { Draws } from '../draws.ts';
import { Pseudonyms } from '../pseudonym.ts';
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
  create: (_options, { key }) => {
    const pseudonyms = new Pseudonyms(key);
    const draws = new Draws(pseudonyms.of('words of lorem'));
    const words = Array.from({ length: TEXT_WORDS }, () => LATIN_WORDS[draws.below(LATIN_WORDS.length)] ?? '');
    const text = `${words.join(' ')} `;
    const starts = words.map((_, index) => words.slice(0, index).join(' ').length + (index === 0 ? 0 : 1));
    return (value) => {
      if (value === '') return '';
      const length = charactersOf(value);
      const start = starts[new Draws(pseudonyms.of(value)).below(TEXT_WORDS)] ?? 0;
      const turned =
        text.slice(start, start + length) +
        text.repeat(Math.ceil(length / text.length)).slice(0, Math.max(0, length - (text.length - start)));
      return turned.endsWith(' ') ? `${turned.slice(0, -1)}.` : turned;
    };
  },
};

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
