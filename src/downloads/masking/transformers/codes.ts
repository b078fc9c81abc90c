import { z } from 'zod';
import { BASE32_LENGTH, base32, Pseudonyms } from '../pseudonym.ts';
import type { Transformer } from '../transformer.ts';
import { TEXT } from './families.ts';

/** From so many bits no two of a billion values come to the same: less than once in 2^40 productions. */
const INJECTIVE_BITS = 100;
const HEX_LENGTH = 32;

interface HashOptions extends Record<string, unknown> {
  length: number;
}

export const hash: Transformer<HashOptions> = {
  name: 'hash',
  description: 'Hexadecimal digits: a keyed hash of the value, of 128 bits unless it is shortened.',
  options: z.strictObject({ length: z.int().min(4).max(HEX_LENGTH).default(HEX_LENGTH) }),
  shorthand: 'length',
  facts: ({ length }) => ({ ...codeFacts(length * 4), accepts: TEXT, maxLength: length }),
  create: ({ length }, { key }) => {
    const pseudonyms = new Pseudonyms(key);
    return (value) => (value === '' ? '' : pseudonyms.hex(value).slice(0, length));
  },
};

interface TokenOptions extends Record<string, unknown> {
  prefix: string;
  length: number;
}

export const TOKEN_LENGTH = z.int().min(4).max(BASE32_LENGTH).default(BASE32_LENGTH);

export const token: Transformer<TokenOptions> = {
  name: 'token',
  description: 'A prefix and small letters and digits: a keyed hash of the value, of 128 bits unless it is shortened.',
  options: z.strictObject({ prefix: z.string().max(64).default(''), length: TOKEN_LENGTH }),
  shorthand: 'prefix',
  facts: ({ prefix, length }) => ({
    ...codeFacts(length * 5),
    accepts: TEXT,
    maxLength: [...prefix].length + length,
  }),
  create: ({ prefix, length }, { key }) => {
    const pseudonyms = new Pseudonyms(key);
    return (value) => (value === '' ? '' : prefix + base32(pseudonyms.of(value)).slice(0, length));
  },
};

export const uuid: Transformer<Record<string, never>> = {
  name: 'uuid',
  description: 'A UUID of version 4, whose 122 bits are a keyed hash of the value.',
  options: z.strictObject({}),
  facts: () => ({ ...codeFacts(122), accepts: ['uuid', 'text'], maxLength: 36 }),
  create: (_options, { key }) => {
    const pseudonyms = new Pseudonyms(key);
    return (value) => (value === '' ? '' : uuidOf(pseudonyms.hex(value)));
  },
};

/** What holds of an output with so many bits of a keyed hash. */
export function codeFacts(bits: number): { isInjective: boolean; mayGiveNull: false; isTraceable: boolean } {
  return { isInjective: bits >= INJECTIVE_BITS, mayGiveNull: false, isTraceable: bits >= INJECTIVE_BITS };
}

function uuidOf(hex: string): string {
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
