import { z } from 'zod';
import { Draws } from '../draws.ts';
import type { Transformer } from '../transformer.ts';
import { BY, readsOf, seedOf } from './seed.ts';

interface GeoOptions extends Record<string, unknown> {
  jitter: number;
  by?: string | undefined;
}

const MOST_DECIMALS = 15;

export const geo: Transformer<GeoOptions> = {
  name: 'geo',
  description: 'A latitude, a longitude, or a point (x,y) up to `jitter` degrees away (0.01 are about a kilometre).',
  options: z.strictObject({ jitter: z.number().min(0.000_001).max(45).default(0.01), by: BY }),
  shorthand: 'jitter',
  facts: ({ jitter, by }, { type }) => ({
    // A move of less than half of the last decimal would be none.
    accepts: jitter * 10 ** scaleOf(type) < 1 ? [] : ['numeric', 'geometry', 'text'],
    isInjective: false,
    mayGiveNull: false,
    isTraceable: false,
    ...readsOf(by),
  }),
  create: ({ jitter, by }, context) => {
    const seed = seedOf(by, context);
    // With fewer, what is moved would be rounded to where it was.
    const fewest = Math.ceil(-Math.log10(jitter)) + 1;
    const most = scaleOf(context.column.type);
    const moved = (text: string, draws: Draws) => {
      if (text.length > 40 || !/^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d{1,3})?$/i.test(text))
        throw new RangeError('Degrees were expected.');
      const degrees = Number(text);
      const bound = Math.abs(degrees) <= 90 ? 90 : 180;
      if (Math.abs(degrees) > 180) throw new RangeError('Degrees were expected.');
      const change = jitter * (2 * draws.fraction() - 1);
      const there = Math.abs(degrees + change) <= bound ? degrees + change : degrees - change;
      return there.toFixed(Math.min(most, Math.max(fewest, decimalsOf(text))));
    };
    return (value, row) => {
      if (value === '') return '';
      const draws = new Draws(seed(value, row));
      const point = value.length > 90 ? null : /^\(([^,()]*),([^,()]*)\)$/.exec(value);
      if (point === null) return moved(value, draws);
      return `(${moved(point[1] ?? '', draws)},${moved(point[2] ?? '', draws)})`;
    };
  },
};

function decimalsOf(text: string): number {
  const [mantissa = '', exponent] = text.toLowerCase().split('e');
  const decimals = mantissa.includes('.') ? mantissa.length - mantissa.indexOf('.') - 1 : 0;
  return Math.min(MOST_DECIMALS, Math.max(0, decimals - Number(exponent ?? 0)));
}

/** Decimals that a type has at most. */
function scaleOf(type: string): number {
  const found = /^(?:numeric|decimal|dec|float|double)\(\d+(?:, ?(\d{1,2}))?\)/.exec(type);
  return found === null ? MOST_DECIMALS : Math.min(MOST_DECIMALS, Number(found[1] ?? 0));
}
