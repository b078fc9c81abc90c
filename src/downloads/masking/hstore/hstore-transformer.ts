import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import type { Rule } from '../../variant-plan.ts';
import { looksPersonal } from '../text/personal-text.ts';
import type { ColumnFacts, RowValues, Transformer, ValueFunction } from '../transformer.ts';
import { type HstorePair, rewriteHstore } from './hstore-text.ts';

const options = z.strictObject({
  /** Once compiled, the values are rules. */
  keys: z.record(z.string(), z.unknown()).default({}),
  /** For values of other keys. */
  unknown: z.enum(['redact', 'null', 'keep', 'fail']).default('redact'),
  /** For keys that look personal and are not named. */
  names: z.enum(['redact', 'keep', 'fail']).default('redact'),
});

type HstoreOptions = z.infer<typeof options>;

const ELEMENT: ColumnFacts = { family: 'text', type: 'text', isNullable: true };

/** `hstore`: values by rules for keys. */
export const hstoreTransformer: Transformer<HstoreOptions> = {
  name: 'hstore',
  description: 'Applies rules to the values of named keys of an hstore, and redacts all others.',
  options,
  shorthand: 'keys',
  facts: () => ({ accepts: ['hstore'], isInjective: false, mayGiveNull: false, isTraceable: false }),
  nested: {
    of: ({ keys }) =>
      Object.entries(keys).map(([key, rule]) => ({ where: `keys[${JSON.stringify(key)}]`, rule, families: ['text'] })),
    with: (before, rules) => ({
      ...before,
      keys: Object.fromEntries(Object.keys(before.keys).map((key, index) => [key, rules[index]])),
    }),
  },
  create: (compiled, { inner }) => {
    const functions = new Map(
      Object.entries(compiled.keys).map(([key, rule]) => [key, demanded(inner(rule as Rule, ELEMENT))]),
    );
    return (value, row) => {
      let replaced = 0;
      return rewriteHstore(value, (pair) => {
        const change = functions.get(pair.key);
        if (change !== undefined) return changedBy(change, pair, row);
        const key = nameFor(pair.key, compiled.names, replaced);
        if (key !== pair.key) replaced++;
        return { key, value: unknownValue(pair.value, compiled.unknown) };
      });
    };
  },
};

function changedBy(change: ValueFunction, pair: HstorePair, row: RowValues): HstorePair {
  if (pair.value === null) return pair;
  const value = change(pair.value, row);
  return value === pair.value ? pair : { key: pair.key, value };
}

function nameFor(key: string, fate: HstoreOptions['names'], replaced: number): string {
  if (fate === 'keep' || !looksPersonal(key)) return key;
  if (fate === 'redact') return replaced === 0 ? '[redacted]' : `[redacted ${replaced + 1}]`;
  throw failed('A key of an hstore looks personal and is not named. Name it, or use names: redact.');
}

function unknownValue(value: string | null, fate: HstoreOptions['unknown']): string | null {
  if (value === null || fate === 'keep') return value;
  if (fate === 'fail') throw failed('An hstore has a key that is not named. Name it, or use unknown: redact.');
  return fate === 'null' ? null : '[redacted]';
}

/** The compiler has refused rules that do not take text. */
function demanded(change: ValueFunction | undefined): ValueFunction {
  if (change === undefined) throw new TypeError('The rule of a key of an hstore does not take text.');
  return change;
}

function failed(message: string): HoldfastError {
  return new HoldfastError('invalid', 'variant-failed', message);
}
