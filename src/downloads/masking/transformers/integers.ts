import { z } from 'zod';
import { Draws } from '../draws.ts';
import { IntegerPermutation } from '../format-preserving/integer-permutation.ts';
import type { Transformer, TransformerContext, ValueFunction } from '../transformer.ts';
import { INTEGERS } from './families.ts';
import { formatKey } from './formats.ts';
import { BY, readsOf, seedOf } from './seed.ts';

interface IntOptions extends Record<string, unknown> {
  mode?: 'permute' | undefined;
  noise?: number | undefined;
  bucket?: number | undefined;
  by?: string | undefined;
}

export const int: Transformer<IntOptions> = {
  name: 'int',
  description:
    '`permute`: another whole number of the same magnitude, no two the same; `noise: n`: up to n more or less; `bucket: n`: the multiple of n towards zero. The sign stays, and what fits a type still does.',
  options: z
    .strictObject({
      mode: z.literal('permute').optional(),
      noise: z
        .int()
        .min(1)
        .max(2 ** 31)
        .optional(),
      bucket: z.int().min(2).max(Number.MAX_SAFE_INTEGER).optional(),
      by: BY,
    })
    .refine(({ mode, noise, bucket }) => [mode, noise, bucket].filter((given) => given !== undefined).length === 1, {
      message: 'wants one of permute, noise and bucket',
    }),
  shorthand: 'mode',
  facts: ({ mode, by }) => ({
    accepts: INTEGERS,
    isInjective: mode === 'permute',
    mayGiveNull: false,
    maxLength: 20,
    isTraceable: false,
    ...readsOf(by),
  }),
  create: ({ noise, bucket, by }, context) => {
    if (noise !== undefined) return noisy(noise, by, context);
    if (bucket !== undefined) return bucketed(BigInt(bucket));
    return permuted(context);
  },
};

/**
 * Where the magnitudes end that permute among themselves: at the ends of every integer type of PostgreSQL and MySQL, signed and not. So an output fits whatever
 * its input fitted, and a key has the same output in an `int` column as in the `bigint` one that it refers to.
 */
const ENDS = [7, 8, 15, 16, 23, 24, 31, 32, 63, 64].map((bits) => 1n << BigInt(bits));

const SMALL_ENDS = ENDS.slice(0, -2).map(Number);

const LONGEST = 21;
const MOST_REMEMBERED = 8192;

function permuted({ key }: TransformerContext): ValueFunction {
  const own = formatKey(key);
  const magnitudes = [1n, ...ENDS.slice(0, -1)].map((first, index) => ({
    first,
    positive: new IntegerPermutation(own, (ENDS[index] ?? 0n) - first, `int/${index}`),
    negative: new IntegerPermutation(own, (ENDS[index] ?? 0n) - (index === 0 ? 0n : first), `int/-${index}`),
  }));
  const permute = (value: bigint) => {
    if (value === 0n) return 0n;
    const size = magnitudeOf(value);
    const index = ENDS.findIndex((end) => size < end);
    const magnitude = magnitudes[index];
    if (magnitude === undefined) throw new RangeError('A whole number has more than 64 bits.');
    if (value > 0n) return magnitude.first + magnitude.positive.of(size - magnitude.first);
    const first = index === 0 ? 0n : magnitude.first;
    return -(first + magnitude.negative.of(size - first)) - 1n;
  };
  /** The same for the keys that most tables have, without big integers. */
  const permuteSmall = (text: string) => {
    if (!/^[1-9]\d{0,8}$/.test(text)) return undefined;
    const value = Number(text);
    const magnitude = magnitudes[SMALL_ENDS.findIndex((end) => value < end)];
    if (magnitude === undefined) return undefined;
    const first = Number(magnitude.first);
    return String(first + magnitude.positive.ofNumber(value - first));
  };
  const remembered = new Map<string, string>();
  return (value) => {
    const known = remembered.get(value);
    if (known !== undefined) return known;
    const made = permuteSmall(value) ?? String(permute(whole(value)));
    if (value.length <= 12) {
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      remembered.set(value, made);
    }
    return made;
  };
}

function noisy(noise: number, by: string | undefined, context: TransformerContext): ValueFunction {
  const seed = seedOf(by, context);
  return (text, row) => {
    const value = whole(text);
    const draws = new Draws(seed(text, row));
    const change = BigInt(1 + Math.floor(draws.fraction() * noise));
    const size = magnitudeOf(value);
    const end = ENDS.find((bound) => size < bound);
    if (end === undefined) throw new RangeError('A whole number has more than 64 bits.');
    const goesUp = draws.next() % 2 === 0;
    const tries = goesUp ? [size + change, size - change] : [size - change, size + change];
    const found = tries.find((changed) => changed >= 0n && changed < end) ?? size / 2n;
    return String(value < 0n ? -found - 1n : found);
  };
}

function bucketed(bucket: bigint): ValueFunction {
  return (text) => {
    const value = whole(text);
    const rest = ((value % bucket) + bucket) % bucket;
    // Towards zero for negative ones: the lower end may be less than the type can hold.
    return String(value < 0n && rest !== 0n ? value - rest + bucket : value - rest);
  };
}

/** -1 is the 0 of the negative ones, so that -128 has that of 127: both are the ends of a tinyint. */
function magnitudeOf(value: bigint): bigint {
  return value < 0n ? -value - 1n : value;
}

function whole(text: string): bigint {
  if (text.length > LONGEST || !/^[+-]?\d+$/.test(text)) throw new RangeError('A whole number was expected.');
  return BigInt(text);
}
