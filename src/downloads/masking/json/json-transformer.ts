import { z } from 'zod';
import { HoldfastError } from '../../../core/errors.ts';
import type { JsonPlan, Rule } from '../../variant-plan.ts';
import type { Transformer } from '../transformer.ts';
import { JsonMasker } from './json-masker.ts';
import { checkJsonPaths } from './json-path.ts';
import { SCALAR_FAMILIES } from './scalar-rule.ts';

const options = z
  .strictObject({
    unknown: z.enum(['redact', 'null', 'keep', 'fail']).default('redact'),
    /** In their order: the first that matches counts. A rule of an object or array is for each scalar in it. */
    paths: z.record(z.string(), z.unknown()).default({}).check(checkPaths),
    names: z.enum(['redact', 'keep', 'fail']).default('redact'),
    on_invalid: z.enum(['null', 'fail']).default('fail'),
  })
  .check(({ value, issues }) => {
    const isEmpty = Object.keys(value.paths).length === 0;
    if (isEmpty && value.unknown === 'keep' && value.names === 'keep') {
      issues.push({ code: 'custom', input: value, message: 'changes nothing: write keep instead' });
    }
  });

export type JsonOptions = z.infer<typeof options>;

/** `json`: scalars in JSON text by rules for paths. Once compiled, the values of `paths` are rules. */
export const jsonTransformer: Transformer<JsonOptions> = {
  name: 'json',
  description:
    'Applies rules to what JSONPaths name within JSON, and redacts all other scalars: strings become "[redacted]", numbers 0. What is kept stays as it is written.',
  options,
  shorthand: 'paths',
  facts: ({ on_invalid }) => ({
    accepts: ['json', 'text'],
    isInjective: false,
    mayGiveNull: on_invalid === 'null',
    isTraceable: false,
  }),
  nested: {
    of: ({ paths }) =>
      Object.entries(paths).map(([path, rule]) => ({
        where: `paths[${JSON.stringify(path)}]`,
        rule,
        families: SCALAR_FAMILIES,
      })),
    with: (before, rules) => ({
      ...before,
      paths: Object.fromEntries(Object.keys(before.paths).map((path, index) => [path, rules[index]])),
    }),
  },
  create: (compiled, { inner }) => {
    const masker = new JsonMasker(jsonPlanOf(compiled), inner);
    return (value, row) => masker.mask(value, row);
  },
};

/** @param compiled options whose rules are compiled */
export function jsonPlanOf(compiled: JsonOptions): JsonPlan {
  return {
    unknown: compiled.unknown,
    names: compiled.names,
    onInvalid: compiled.on_invalid,
    paths: Object.entries(compiled.paths).map(([path, rule]) => ({ path, rule: rule as Rule })),
  };
}

function checkPaths({ value, issues }: z.core.ParsePayload<Record<string, unknown>>): void {
  try {
    checkJsonPaths(Object.keys(value));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    issues.push({ code: 'custom', input: value, message: error.message });
  }
}
