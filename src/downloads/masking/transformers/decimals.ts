import { z } from 'zod';
import { Draws } from '../draws.ts';
import type { ColumnFacts, Transformer, TransformerContext, ValueFunction } from '../transformer.ts';
import { NUMBERS } from './families.ts';
import { BY, readsOf, seedOf } from './seed.ts';

interface NumericOptions extends Record<string, unknown> {
  noise?: number | undefined;
  round?: number | undefined;
  by?: string | undefined;
}

export const numeric: Transformer<NumericOptions> = {
  name: 'numeric',
  description:
    '`noise: p`: up to p per cent more or less; `round: s`: the nearest multiple of s (0.01, 100 …). As many decimals as before, so that a small number may stay what it is.',
  options: z
    .strictObject({
      noise: z.number().min(0.01).max(100).optional(),
      round: z.number().min(1e-9).max(1e15).optional(),
      by: BY,
    })
    .refine(({ noise, round }) => (noise === undefined) !== (round === undefined), {
      message: 'wants one of noise and round',
    }),
  shorthand: 'round',
  facts: ({ round, by }, column) => ({
    accepts: round !== undefined && isFinest(round, column) ? [] : NUMBERS,
    isInjective: false,
    mayGiveNull: false,
    isTraceable: false,
    ...readsOf(by),
  }),
  create: ({ noise, round, by }, context) =>
    noise === undefined ? rounded(round ?? 1, context.column.type) : noisy(noise, by, context),
};

/** Whether all values of the column are multiples of the step already, so that nothing would change. */
function isFinest(step: number, { family, type }: ColumnFacts): boolean {
  if (family === 'text') return false;
  const found = PRECISION.exec(type);
  if (family === 'numeric' && found === null) return false;
  const scale = family === 'integer' ? 0 : Number(found?.[2] ?? 0);
  const { digits, decimals } = decimal(step.toFixed(9));
  return 10n ** BigInt(Math.max(0, decimals - scale)) % digits === 0n;
}

/** A number as it is written: `digits` · 10^-decimals, and what stands behind it. */
interface Decimal {
  isNegative: boolean;
  digits: bigint;
  decimals: number;
  exponent: string;
}

const PRECISION = /\((\d{1,4})(?:, ?(\d{1,4}))?\)/;
/** 10^6 steps of a hundredth of the noise. */
const STEPS = 1_000_000n;
const LONGEST = 1_000;

function noisy(percent: number, by: string | undefined, context: TransformerContext): ValueFunction {
  const seed = seedOf(by, context);
  const most = percent * Number(STEPS) * 0.01;
  const limit = limitOf(context.column.type);
  return (text, row) => {
    if (isNoNumber(text)) return text;
    const value = decimal(text);
    const draws = new Draws(seed(text, row));
    const change = (value.digits * BigInt(1 + Math.floor(draws.fraction() * most)) + STEPS / 2n) / STEPS;
    const more = value.digits + change;
    const goesUp = draws.next() % 2 === 0 && fits({ ...value, digits: more }, limit);
    return written({ ...value, digits: goesUp ? more : value.digits - change });
  };
}

function rounded(step: number, type: string): ValueFunction {
  const size = decimal(step.toFixed(9));
  const limit = limitOf(type);
  return (text) => {
    if (isNoNumber(text)) return text;
    return written(roundedTo(expanded(decimal(text)), size, limit));
  };
}

function roundedTo(value: Decimal, step: Decimal, limit: number): Decimal {
  const decimals = Math.max(value.decimals, step.decimals);
  const digits = value.digits * 10n ** BigInt(decimals - value.decimals);
  const stride = step.digits * 10n ** BigInt(decimals - step.decimals);
  const nearest = ((digits + stride / 2n) / stride) * stride;
  const rounded = { ...value, digits: nearest / 10n ** BigInt(decimals - value.decimals) };
  if (fits(rounded, limit) || nearest < stride) return rounded;
  return { ...rounded, digits: (nearest - stride) / 10n ** BigInt(decimals - value.decimals) };
}

/** Digits that may stand before the point: `numeric(10,2)` has 8. */
function limitOf(type: string): number {
  const found = PRECISION.exec(type);
  return found === null ? Number.POSITIVE_INFINITY : Number(found[1]) - Number(found[2] ?? 0);
}

function fits({ digits, decimals, exponent }: Decimal, limit: number): boolean {
  return exponent !== '' || String(digits).length - decimals <= limit;
}

/** Without an exponent. */
function expanded(value: Decimal): Decimal {
  if (value.exponent === '') return value;
  const power = Number(value.exponent.slice(1));
  if (Math.abs(power) > 400) throw new RangeError('A number has an exponent that no type holds.');
  const decimals = Math.max(0, value.decimals - power);
  const digits = value.digits * 10n ** BigInt(Math.max(0, power - value.decimals));
  return { ...value, digits, decimals, exponent: '' };
}

/** They say nothing, and nothing can be done to them. */
function isNoNumber(text: string): boolean {
  return /^(?:NaN|[+-]?Infinity|)$/.test(text);
}

function decimal(text: string): Decimal {
  const found = text.length > LONGEST ? null : /^([+-]?)(\d*)(?:\.(\d*))?(e[+-]?\d{1,4})?$/i.exec(text);
  const [, sign = '', whole = '', fraction = '', exponent = ''] = found ?? [];
  if (whole === '' && fraction === '') throw new RangeError('A number was expected.');
  return { isNegative: sign === '-', digits: BigInt(whole + fraction), decimals: fraction.length, exponent };
}

function written({ isNegative, digits, decimals, exponent }: Decimal): string {
  const text = String(digits).padStart(decimals + 1, '0');
  const point = text.length - decimals;
  const sign = isNegative && digits !== 0n ? '-' : '';
  return `${sign}${text.slice(0, point)}${decimals > 0 ? `.${text.slice(point)}` : ''}${exponent}`;
}
