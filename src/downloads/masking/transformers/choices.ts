import { z } from 'zod';
import { Draws } from '../draws.ts';
import type { Transformer } from '../transformer.ts';
import { BY, readsOf, seedOf } from './seed.ts';

interface BoolOptions extends Record<string, unknown> {
  share: number;
  by?: string | undefined;
}

/** How databases write false and true. */
const NOTATIONS: ReadonlyMap<string, readonly [no: string, yes: string]> = new Map(
  (
    [
      ['f', 't'],
      ['false', 'true'],
      ['FALSE', 'TRUE'],
      ['False', 'True'],
      ['0', '1'],
      ['n', 'y'],
      ['N', 'Y'],
      ['no', 'yes'],
      ['NO', 'YES'],
      ['off', 'on'],
      ['\\x00', '\\x01'],
    ] as const
  ).flatMap((pair) => [
    [pair[0], pair],
    [pair[1], pair],
  ]),
);

export const bool: Transformer<BoolOptions> = {
  name: 'bool',
  description:
    'True or false by chance, `share` of them true. Wants `by`, a key of the row: otherwise all that are true become the same.',
  options: z.strictObject({ share: z.number().min(0).max(1).default(0.5), by: BY }),
  shorthand: 'by',
  facts: ({ by }) => ({
    accepts: ['boolean', 'integer', 'text', 'bytes'],
    isInjective: false,
    mayGiveNull: false,
    maxLength: 'same',
    isTraceable: false,
    ...readsOf(by),
  }),
  create: ({ share, by }, context) => {
    const seed = seedOf(by, context);
    return (value, row) => {
      const notation = NOTATIONS.get(value);
      if (notation === undefined) throw new RangeError('True or false was expected.');
      return notation[new Draws(seed(value, row)).fraction() < share ? 1 : 0];
    };
  },
};

interface ChoiceOptions extends Record<string, unknown> {
  values: readonly string[] | Readonly<Record<string, number>>;
  by?: string | undefined;
}

export const choice: Transformer<ChoiceOptions> = {
  name: 'choice',
  description: 'One of the values that are listed, or given with weights ({ active: 8, closed: 2 }).',
  options: z.strictObject({
    values: z.union([
      z.array(z.string()).min(1).max(10_000),
      z
        .record(z.string(), z.number().positive())
        .refine((weights) => Object.keys(weights).length > 0, { message: 'is empty' }),
    ]),
    by: BY,
  }),
  shorthand: 'values',
  facts: ({ values, by }) => ({
    accepts: 'all',
    isInjective: false,
    mayGiveNull: false,
    maxLength: Math.max(...weighted(values).map(([value]) => [...value].length)),
    isTraceable: false,
    ...readsOf(by),
  }),
  create: ({ values, by }, context) => {
    const choices = weighted(values);
    const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
    const seed = seedOf(by, context);
    return (value, row) => {
      let left = new Draws(seed(value, row)).fraction() * total;
      for (const [chosen, weight] of choices) {
        left -= weight;
        if (left < 0) return chosen;
      }
      return choices.at(-1)?.[0] ?? null;
    };
  },
};

interface EnumOptions extends Record<string, unknown> {
  by?: string | undefined;
}

export const enumeration: Transformer<EnumOptions> = {
  name: 'enum',
  description: 'One of the values that the type or a CHECK of the column allows.',
  options: z.strictObject({ by: BY }),
  shorthand: 'by',
  facts: ({ by }, { allowedValues = [], family }) => ({
    accepts: allowedValues.length > 0 ? [family] : [],
    isInjective: false,
    mayGiveNull: false,
    maxLength: Math.max(0, ...allowedValues.map((value) => [...value].length)),
    isTraceable: false,
    ...readsOf(by),
  }),
  create: ({ by }, context) => {
    const values = context.column.allowedValues ?? [];
    if (values.length === 0) throw new RangeError('The column allows any value.');
    const seed = seedOf(by, context);
    return (value, row) => values[new Draws(seed(value, row)).below(values.length)] ?? null;
  },
};

/** Sorted by value where there are weights: a policy's canonical form does not keep the order of keys. */
function weighted(values: ChoiceOptions['values']): (readonly [string, number])[] {
  if (isList(values)) return values.map((value) => [value, 1]);
  return Object.entries(values).sort(([one], [other]) => (one < other ? -1 : 1));
}

function isList(values: ChoiceOptions['values']): values is readonly string[] {
  return Array.isArray(values);
}
