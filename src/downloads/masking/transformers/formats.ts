import { z } from 'zod';
import { ClassPermutation } from '../format-preserving/class-permutation.ts';
import type { Transformer, TransformerFacts } from '../transformer.ts';
import { purposeKey } from '../variant-keys.ts';
import { TEXT } from './families.ts';

export interface KeepOptions extends Record<string, unknown> {
  keep: number;
}

export const KEEP_FIRST = z
  .int()
  .min(0)
  .max(32)
  .default(0)
  .describe('How many letters and digits at the beginning stay; of a value that has no more, none does.');
const keepOptions = z.strictObject({ keep: KEEP_FIRST });

/** Other originals may well be among the outputs: a domain of format-preserving encryption is as small as the format. */
export const FORMAT_FACTS: TransformerFacts = {
  accepts: TEXT,
  isInjective: true,
  mayGiveNull: false,
  maxLength: 'same',
  isTraceable: false,
};

/** The key under which a column's formats are permuted: another than that of its pseudonyms. */
export function formatKey(key: Uint8Array): Uint8Array {
  return purposeKey(key, 'format');
}

export const digits: Transformer<KeepOptions> = {
  name: 'digits',
  description: 'Digits in place of digits (format-preserving encryption); a value with letters is an error.',
  options: keepOptions,
  shorthand: 'keep',
  facts: () => FORMAT_FACTS,
  create: ({ keep }, { key }) => {
    const permutation = new ClassPermutation(formatKey(key));
    return (value) => {
      if (/\p{L}/u.test(value)) throw new RangeError('Digits were expected, and there are letters.');
      return permutation.of(value, keep);
    };
  },
};

export const alnum: Transformer<KeepOptions> = {
  name: 'alnum',
  description:
    'Letters in place of letters of the same script and case, digits in place of digits (format-preserving encryption); all else stays.',
  options: keepOptions,
  shorthand: 'keep',
  facts: () => FORMAT_FACTS,
  create: ({ keep }, { key }) => {
    const permutation = new ClassPermutation(formatKey(key));
    return (value) => permutation.of(value, keep);
  },
};

export const zip: Transformer<KeepOptions> = {
  ...alnum,
  name: 'zip',
  description: 'A postal code of the same form: `keep` leaves the region.',
};

interface PhoneOptions extends Record<string, unknown> {
  keep?: number | undefined;
}

export const phone: Transformer<PhoneOptions> = {
  name: 'phone',
  description:
    'A telephone number of the same form (format-preserving encryption). Behind + or 00 the country code stays, unless `keep` says how many digits do, and of a shorter number none.',
  options: z.strictObject({ keep: z.int().min(0).max(15).optional() }),
  shorthand: 'keep',
  facts: () => FORMAT_FACTS,
  create: ({ keep }, { key }) => {
    const permutation = new ClassPermutation(formatKey(key));
    return (value) => {
      const kept = keep ?? digitsOfCountry(value);
      // A country code alone, or the beginning of one, is nobody's number; whatever took its place could have a code of another length.
      if (keep === undefined && kept > 0 && !permutation.hasMoreThan(value, kept)) return value;
      let masked = permutation.of(value, kept);
      // What has no country code must not get one, or two numbers could come to the same.
      while (keep === undefined && kept === 0 && digitsOfCountry(masked) > 0) masked = permutation.of(masked);
      return masked;
    };
  },
};

/** Country codes of two digits (ITU-T E.164); +1 and +7 have one, all others three. */
const TWO_DIGITS = new Set(
  '20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98'.split(
    ' ',
  ),
);

function digitsOfCountry(value: string): number {
  const international = /^\s{0,8}\(?(\+|00)\s?(\d{1,2})/.exec(value);
  if (international === null) return 0;
  const [, sign, code = ''] = international;
  const length = code.startsWith('1') || code.startsWith('7') ? 1 : TWO_DIGITS.has(code) ? 2 : 3;
  return (sign === '00' ? 2 : 0) + length;
}
