import { HoldfastError } from '../../core/errors.ts';
import { KEEP, type Rule } from '../variant-plan.ts';
import type { CanaryProbe } from './canary-probe.ts';
import { normalised } from './normalisation.ts';
import type { ColumnFacts, Transformer, TransformerContext, ValueFunction } from './transformer.ts';
import { TRANSFORMERS } from './transformers.ts';
import { domainKey } from './variant-keys.ts';

/**
 * Makes the functions of rules for parts of values (the scalars of JSON, the elements of arrays), which read no other columns.
 * @param key of the variant: `MaskingRun.key`
 * @param probe told of the parts whose rules promise that no original shows up again
 * @returns undefined for a rule whose transformer does not take values of `column.family`; the identity for `keep`
 */
export function innerRules(
  key: Uint8Array,
  probe?: CanaryProbe,
): (rule: Rule, column: ColumnFacts) => ValueFunction | undefined {
  return (rule, column) => {
    if (rule.transformer === KEEP) return (value) => value;
    const { accepts, isTraceable } = transformerOf(rule).facts(rule.options, column);
    if (accepts !== 'all' && !accepts.includes(column.family)) return undefined;
    const change = ruleFunction(rule, column, key, noOtherColumns, probe);
    return isTraceable && probe !== undefined ? traced(change, probe) : change;
  };
}

function traced(change: ValueFunction, probe: CanaryProbe): ValueFunction {
  return (value, row) => {
    probe.original(value);
    const output = change(value, row);
    if (output !== null) probe.output(output);
    return output;
  };
}

/**
 * Makes the function of a rule: with the key of its domain, and on values that are normalised as it says.
 * @param key of the variant: `MaskingRun.key`
 */
export function ruleFunction(
  rule: Rule,
  column: ColumnFacts,
  key: Uint8Array,
  indexOf: TransformerContext['indexOf'],
  probe?: CanaryProbe,
): ValueFunction {
  const context = { key: domainKey(key, rule.domain), column, indexOf, inner: innerRules(key, probe) };
  const made = transformerOf(rule).create(rule.options, context);
  const steps = rule.normalise;
  return steps.length === 0 ? made : (value, row) => made(normalised(value, steps), row);
}

/** @throws HoldfastError `variant-failed` where a plan names a transformer that is not there: it was made by another version */
export function transformerOf(rule: Rule): Transformer {
  const transformer = TRANSFORMERS.get(rule.transformer);
  if (transformer !== undefined) return transformer;
  throw new HoldfastError('invalid', 'variant-failed', `There is no transformer named "${rule.transformer}".`);
}

function noOtherColumns(): never {
  throw new HoldfastError('invalid', 'variant-failed', 'A rule for a part of a value cannot read other columns.');
}
