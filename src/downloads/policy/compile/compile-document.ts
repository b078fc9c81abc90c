import { messageOf } from '../../../core/errors.ts';
import { SCALAR_FAMILIES } from '../../masking/json/scalar-rule.ts';
import type { ContentPlan, JsonPlan } from '../../variant-plan.ts';
import type { DocumentPolicy } from '../masking-policy.ts';
import type { Compilation } from './compilation.ts';
import { compileRuleForAny } from './compile-rule.ts';

/** The plan of a JSON document as a whole. */
export function compileDocument(compilation: Compilation): ContentPlan | undefined {
  const { policy, variant, problems } = compilation;
  if (policy.document === undefined) {
    problems.push({
      code: 'document-not-named',
      message: 'The content is a JSON document, of which the policy says nothing.',
      suggestion: 'Write `document: { unknown: redact, paths: { "$.name": keep } }`.',
    });
    return undefined;
  }
  if (variant.kind === 'reduced')
    problems.push({
      code: 'document-not-named',
      message: `The variant ${variant.name} has a subset of rows, and a JSON document has no rows.`,
      suggestion: 'Ask for a variant that keeps all, or declare one: `{ keep: full }`.',
    });
  return { kind: 'document', json: jsonPlan(policy.document, undefined, compilation) };
}

/** @param file of which the rules are, where it is one of many */
export function jsonPlan(document: DocumentPolicy, file: string | undefined, compilation: Compilation): JsonPlan {
  const place = file === undefined ? {} : { table: file };
  try {
    compilation.language.checkJsonPaths(document.paths.map(({ path }) => path));
  } catch (error) {
    compilation.problems.push({
      ...place,
      code: 'condition-invalid',
      message: `A path cannot be followed: ${messageOf(error)}`,
      suggestion: 'Write steps such as `$.name`, `$.list[*].name` or `$..name`, the narrower before the wider.',
    });
  }
  const paths = document.paths.flatMap(({ path, rule: policy }) => {
    const rule = compileRuleForAny(policy, SCALAR_FAMILIES, { ...place, column: path }, compilation);
    return rule === undefined ? [] : [{ path, rule }];
  });
  const { unknown, names, onInvalid } = document;
  return { unknown, names, paths, onInvalid };
}
