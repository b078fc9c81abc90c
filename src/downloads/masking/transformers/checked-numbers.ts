import { z } from 'zod';
import { ClassPermutation } from '../format-preserving/class-permutation.ts';
import type { Transformer } from '../transformer.ts';
import { FORMAT_FACTS, formatKey, KEEP_FIRST, type KeepOptions } from './formats.ts';

export const card = permuting(
  'card',
  'A card number of the same form, valid by Luhn where the original is (format-preserving encryption); `keep`: first digits that stay (1: the brand).',
  z.int().min(0).max(8).default(1),
  (value, permuted) => {
    if (value.length > LONGEST || !/^[\d *•-]*$/u.test(value)) throw new RangeError('A card number was expected.');
    return /[*•]/u.test(value) ? permuted(value) : withCheckDigit(value, permuted, LUHN);
  },
);

export const iban = permuting(
  'iban',
  'An IBAN of the same country and form, with right check digits where the original has them; `keep`: letters and digits behind them that stay (the bank).',
  z.int().min(0).max(12).default(0),
  (value, permuted) => {
    const found = value.length > LONGEST ? null : /^([A-Za-z]{2})(\d\d)([A-Za-z0-9 ]{8,60})$/.exec(value);
    if (found === null) throw new RangeError('An IBAN was expected.');
    const [, country = '', check = '', account = ''] = found;
    const masked = permuted(account);
    const off = Number(check) - ibanCheck(country, account);
    return country + twoDigits(ibanCheck(country, masked) + off) + masked;
  },
);

const LONGEST = 64;

/** A number some of whose first digits may be kept. @param mask gives what stands in the place of a value that is not empty */
function permuting(
  name: string,
  description: string,
  keep: z.ZodType<number>,
  mask: (value: string, permuted: (text: string) => string) => string,
): Transformer<KeepOptions> {
  return {
    name,
    description,
    options: z.strictObject({ keep }),
    shorthand: 'keep',
    facts: () => FORMAT_FACTS,
    create: (options, { key }) => {
      const permutation = new ClassPermutation(formatKey(key));
      const permuted = (text: string) => permutation.of(text, options.keep);
      return (value) => (value === '' ? '' : mask(value, permuted));
    },
  };
}

const CHECKS = ['none', 'luhn', 'mod97', 'mod23'] as const;

interface NationalIdOptions extends KeepOptions {
  check: (typeof CHECKS)[number];
}

export const nationalId: Transformer<NationalIdOptions> = {
  name: 'national_id',
  description:
    'A number of the same form. `check` keeps what stands at its end right: luhn (Sweden, Canada, South Africa), mod97 (France, Belgium), mod23 (Spain).',
  options: z.strictObject({ keep: KEEP_FIRST, check: z.enum(CHECKS).default('none') }),
  shorthand: 'check',
  facts: () => FORMAT_FACTS,
  create: ({ keep, check }, { key }) => {
    const permutation = new ClassPermutation(formatKey(key));
    const permuted = (body: string) => permutation.of(body, keep);
    if (check === 'none') return permuted;
    const scheme = { luhn: LUHN, mod97: MOD_97, mod23: MOD_23 }[check];
    return (value) => (value === '' ? '' : withCheckDigit(value, permuted, scheme));
  },
};

interface CheckScheme {
  /** Characters at the end, and how many different ones there are. */
  length: number;
  modulus: number;
  /** What belongs behind a body. */
  expected(body: string): number;
  /** -1 for what is none. */
  read(characters: string): number;
  write(value: number): string;
}

const LUHN: CheckScheme = {
  length: 1,
  modulus: 10,
  expected: (body) => {
    const numerals = body.replace(/\D/g, '');
    let sum = 0;
    for (let index = 0; index < numerals.length; index++) {
      const digit = Number(numerals.charAt(numerals.length - 1 - index));
      const doubled = index % 2 === 0 ? 2 * digit : digit;
      sum += doubled > 9 ? doubled - 9 : doubled;
    }
    return (10 - (sum % 10)) % 10;
  },
  read: numeral,
  write: String,
};

const MOD_97: CheckScheme = {
  length: 2,
  modulus: 100,
  expected: (body) => 97 - remainder(body, 97),
  read: numeral,
  write: twoDigits,
};

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';

const MOD_23: CheckScheme = {
  length: 1,
  modulus: 23,
  expected: (body) => remainder(body, 23),
  read: (letter) => DNI_LETTERS.indexOf(letter.toUpperCase()),
  write: (value) => DNI_LETTERS.charAt(value),
};

/**
 * Masks the body and puts what belongs behind it. A check that was off by something is off by the same afterwards: valid stays valid, invalid stays invalid, and
 * no two values come to the same.
 */
function withCheckDigit(value: string, mask: (body: string) => string, scheme: CheckScheme): string {
  // A column of fixed width pads with spaces.
  const end = value.trimEnd();
  const at = end.length - scheme.length;
  const check = end.slice(at);
  const found = at > 0 ? scheme.read(check) : -1;
  if (found < 0) throw new RangeError('A check digit was expected at the end.');
  const body = end.slice(0, at);
  const masked = mask(body);
  const off = found - scheme.expected(body);
  const written = scheme.write(modulo(scheme.expected(masked) + off, scheme.modulus));
  return masked + (check === check.toLowerCase() ? written.toLowerCase() : written) + value.slice(end.length);
}

function ibanCheck(country: string, account: string): number {
  const text = `${account}${country}00`.toUpperCase();
  const numerals = text.replace(/[^A-Z0-9]/g, '').replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55));
  return 98 - remainder(numerals, 97);
}

/** Of the number that a text's digits make. */
function remainder(text: string, modulus: number): number {
  let rest = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (digit >= 0 && digit <= 9) rest = (rest * 10 + digit) % modulus;
  }
  return rest;
}

function numeral(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : -1;
}

function twoDigits(value: number): string {
  return String(modulo(value, 100)).padStart(2, '0');
}

function modulo(value: number, modulus: number): number {
  return ((value % modulus) + modulus) % modulus;
}
