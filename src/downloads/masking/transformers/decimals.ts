import { z } from 'zod';
import { Draws } from '../draws.ts';
import type { Transformer, TransformerContext, ValueFunction } from '../transformer.ts';
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
    '`noise: p`: up to p per cent more or less; `round: s`: the nearest multiple of s (0.01, 100 …). As many decimals as before.',
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
  facts: ({ by }) => ({
    accepts: NUMBERS,
    isInjective: false,
    mayGiveNull: false,
    isTraceable: false,
    ...readsOf(by),
  }),
  create: ({ noise, round, by }, context) => (noise === undefined ? rounded(round ?? 1) : noisy(noise, by, context)),
};

/** A number as it is written: `digits` · 10^-decimals, and what stands behind it. */
interface Decimal {
  isNegative: boolean;
  digits: bigint;
  decimals: number;
  exponent: string;
}

/** 10^6 steps of a hundredth of the noise. */
const STEPS = 1_000_000n;
const LONGEST = 1_000;

function noisy(percent: number, by: string | undefined, context: TransformerContext): ValueFunction {
  const seed = seedOf(by, context);
  const most = percent * Number(STEPS) * 0.01;
  return (text, row) => {
    if (isNoNumber(text)) return text;
    const value = decimal(text);
    const draws = new Draws(seed(text, row));
    const change = (value.digits * BigInt(1 + Math.floor(draws.fraction() * most)) + STEPS / 2n) / STEPS;
    const more = value.digits + change;
    // What has no more digits still fits the column.
    const hasRoom = String(more).length === String(value.digits).length;
    const goesUp = draws.next() % 2 === 0 && hasRoom;
    return written({ ...value, digits: goesUp ? more : value.digits - change });
  };
}

function rounded(step: number): ValueFunction {
  const size = decimal(step.toFixed(9));
  return (text) => {
    if (isNoNumber(text)) return text;
    const value = decimal(text);
    if (value.exponent !== '') return written(roundedTo(expanded(value), size));
    return written(roundedTo(value, size));
  };
}

function roundedTo(value: Decimal, step: Decimal): Decimal {
  const decimals = Math.max(value.decimals, step.decimals);
  const digits = value.digits * 10n ** BigInt(decimals - value.decimals);
  const stride = step.digits * 10n ** BigInt(decimals - step.decimals);
  const nearest = ((digits + stride / 2n) / stride) * stride;
  // Rounding up must not make it longer than the column can hold.
  const fitting = String(nearest).length > String(digits).length ? nearest - stride : nearest;
  return { ...value, digits: fitting / 10n ** BigInt(decimals - value.decimals) };
}

function expanded({ exponent, ...value }: Decimal): Decimal {
  const power = Number(exponent.slice(1));
  if (Math.abs(power) > 400) throw new RangeError('A number has an exponent that no type holds.');
  if (power <= value.decimals) return { ...value, decimals: value.decimals - power, exponent: '' };
  return { ...value, digits: value.digits * 10n ** BigInt(power - value.decimals), decimals: 0, exponent: '' };
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
