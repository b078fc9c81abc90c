import type { ColumnFacts, Transformer } from '../../masking/transformer.ts';
import { KEEP } from '../../variant-plan.ts';
import { type CompiledRule, readsOthers } from './compile-rule.ts';

/**
 * Whether a rule gives a column what it may not hold. The column's values are known, so they are tried; what cannot be tried (a rule that reads the row, or holds rules
 * of its own) is found by the check of each value while the variant is made.
 */
export function cannotGive(transformer: Transformer, { rule, facts }: CompiledRule, column: ColumnFacts): boolean {
  const { allowedValues = [] } = column;
  if (transformer.name === KEEP || readsOthers(facts) || transformer.nested !== undefined) return false;
  const allowed = new Set(allowedValues);
  for (let key = 0; key < KEYS; key++) {
    try {
      const give = transformer.create(rule.options, {
        key: new Uint8Array(32).fill(key),
        column,
        indexOf: () => -1,
        inner: () => undefined,
      });
      for (const value of allowedValues.slice(0, VALUES)) {
        const given = give(value, { original: () => null, masked: () => null });
        if (given !== null && !allowed.has(given)) return true;
      }
    } catch {
      // It needs more than the value; the rows themselves will tell.
      return false;
    }
  }
  return false;
}

const KEYS = 16;
const VALUES = 100;
