import { z } from 'zod';
import { viewed } from '../byte-values.ts';
import { copied } from '../copied-bytes.ts';
import { BASE32_LENGTH, HEX_LENGTH, writeBase32, writeHex } from '../pseudonym.ts';
import { seededFunction } from '../seeded-function.ts';
import { hasQuotes, isPlain, type SeededOutput } from '../seeded-output.ts';
import type { Transformer, ValueFunction } from '../transformer.ts';
import { bytesOf } from './byte-text.ts';
import { TEXT } from './families.ts';

/** From so many bits no two of a billion values come to the same: less than once in 2^40 productions. */
const INJECTIVE_BITS = 100;

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
    if (column.family !== 'bytes') return seededFunction(hexOutput(length), key);
    const hexOf = seededFunction(hexOutput(length - (length % 2)), key);
    return (value, row) => (value === '' || value === NO_BYTES ? value : NO_BYTES + hexOf(value, row));
  },
  seeded: ({ length }, { family }) => (family === 'bytes' ? undefined : hexOutput(length)),
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
  create: (options, { key }) => seededFunction(codeOutput(options), key),
  seeded: codeOutput,
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
    const uuidOf = seededFunction(UUID_OUTPUT, key);
    return column.family === 'bytes' ? inBytes(uuidOf) : uuidOf;
  },
  seeded: (_options, { family }) => (family === 'bytes' ? undefined : UUID_OUTPUT),
};

/** What stands as text in another column has the same pseudonym there. */
function inBytes(uuidOf: ValueFunction): ValueFunction {
  return (value, row) => {
    const hex = bytesOf(value)?.toString('hex');
    if (hex?.length !== 32) throw new RangeError('The 16 bytes of a UUID were expected.');
    return NO_BYTES + uuidOf(hyphenated(hex), row)?.replaceAll('-', '');
  };
}

/** What holds of an output with so many bits of a keyed hash. */
export function codeFacts(bits: number): { isInjective: boolean; mayGiveNull: false; isTraceable: boolean } {
  return { isInjective: bits >= INJECTIVE_BITS, mayGiveNull: false, isTraceable: bits >= INJECTIVE_BITS };
}

const NO_BYTES = '\\x';

function hyphenated(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Nothing in the place of nothing, otherwise a keyed hash in base 32 between what is the same for all. */
export function codeOutput({ prefix = '', length = BASE32_LENGTH, suffix = '' }: CodeForm): SeededOutput {
  const [before, behind] = [viewed(Buffer.from(prefix)), viewed(Buffer.from(suffix))];
  const [prefixLength, suffixLength] = [before.bytes.length, behind.bytes.length];
  const room = prefixLength + BASE32_LENGTH + suffixLength;
  return {
    isPlain: isPlain(prefix + suffix),
    hasQuotes: hasQuotes(prefix + suffix),
    room: () => room,
    write: ({ start, end, pseudonyms, seed }, out, at) => {
      if (start === end) return at;
      const code = copied(before, 0, prefixLength, out, at);
      return copied(behind, 0, suffixLength, out, writeBase32(pseudonyms, seed, out, code, length));
    },
  };
}

interface CodeForm {
  prefix?: string;
  /** Characters of the hash. */
  length?: number;
  suffix?: string;
}

function hexOutput(length: number): SeededOutput {
  return {
    isPlain: true,
    hasQuotes: false,
    room: () => HEX_LENGTH,
    write: ({ start, end, pseudonyms, seed }, out, at) =>
      start === end ? at : writeHex(pseudonyms, seed, out.bytes, at, length),
  };
}

const HYPHEN = 0x2d;
const VERSION = 0x34;
/** Of the figure that says so, two bits are the pseudonym's. */
const VARIANTS = Buffer.from('89ab');

/** RFC 9562, version 4. */
const UUID_OUTPUT: SeededOutput = {
  isPlain: true,
  hasQuotes: false,
  room: () => 4 + HEX_LENGTH,
  write: ({ start, end, pseudonyms, seed }, { bytes: out }, at) => {
    if (start === end) return at;
    writeHex(pseudonyms, seed, out, at + 4, HEX_LENGTH);
    // Each part moves to the left as far as hyphens do not stand before it.
    for (let part = 0, from = 4, to = 0; part < PARTS.length; part++) {
      const length = PARTS[part] as number;
      for (let figure = 0; figure < length; figure++) out[at + to + figure] = out[at + from + figure] as number;
      from += length;
      to += length;
      if (part + 1 < PARTS.length) out[at + to++] = HYPHEN;
    }
    out[at + 14] = VERSION;
    out[at + 19] = VARIANTS[((pseudonyms[seed + 8] as number) >> 4) & 3] as number;
    return at + 36;
  },
};

const PARTS: readonly number[] = [8, 4, 4, 4, 12];
