import { z } from 'zod';
import { BASE32_LENGTH, base32, Pseudonyms } from '../pseudonym.ts';
import type { Transformer } from '../transformer.ts';
import { bytesOf } from './byte-text.ts';
import { TEXT } from './families.ts';

/** From so many bits no two of a billion values come to the same: less than once in 2^40 productions. */
const INJECTIVE_BITS = 100;
const HEX_LENGTH = 32;

interface HashOptions extends Record<string, unknown> {
  length: number;
}

export const hash: Transformer<HashOptions> = {
  name: 'hash',
  description:
    'Hexadecimal digits: a keyed hash of the value, of 128 bits unless it is shortened. In a column of bytes those 16 bytes.',
  options: z.strictObject({ length: z.int().min(4).max(HEX_LENGTH).default(HEX_LENGTH) }),
  shorthand: 'length',
  facts: ({ length }, { family }) => ({
    ...codeFacts(length * 4),
    accepts: ['text', 'bytes'],
    maxLength: family === 'bytes' ? Math.floor(length / 2) : length,
  }),
  create: ({ length }, { key, column }) => {
    const pseudonyms = new Pseudonyms(key);
    const isBytes = column.family === 'bytes';
    const digits = isBytes ? length - (length % 2) : length;
    return (value) => {
      if (value === '' || value === NO_BYTES) return value;
      return (isBytes ? NO_BYTES : '') + pseudonyms.hex(value).slice(0, digits);
    };
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
  description: 'A UUID of version 4, whose 122 bits are a keyed hash of the value. In a column of bytes its 16 bytes.',
  options: z.strictObject({}),
  facts: (_options, { family }) => ({
    ...codeFacts(122),
    accepts: ['uuid', 'text', 'bytes'],
    maxLength: family === 'bytes' ? 16 : 36,
  }),
  create: (_options, { key, column }) => {
    const pseudonyms = new Pseudonyms(key);
    if (column.family !== 'bytes') return (value) => (value === '' ? '' : uuidOf(pseudonyms.hex(value)));
    return (value) => {
      const hex = bytesOf(value)?.toString('hex');
      if (hex?.length !== 32) throw new RangeError('The 16 bytes of a UUID were expected.');
      // What stands as text in another column has the same pseudonym there.
      return NO_BYTES + uuidOf(pseudonyms.hex(hyphenated(hex))).replaceAll('-', '');
    };
  },
};

/** What holds of an output with so many bits of a keyed hash. */
export function codeFacts(bits: number): { isInjective: boolean; mayGiveNull: false; isTraceable: boolean } {
  return { isInjective: bits >= INJECTIVE_BITS, mayGiveNull: false, isTraceable: bits >= INJECTIVE_BITS };
}

const NO_BYTES = '\\x';

function hyphenated(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function uuidOf(hex: string): string {
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) & 3];
  return hyphenated(`${hex.slice(0, 12)}4${hex.slice(13, 16)}${variant}${hex.slice(17)}`);
}
