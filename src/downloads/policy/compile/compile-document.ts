import { messageOf } from '../../../core/errors.ts';
import type { TypeFamily } from '../../content/content-schema.ts';
import type { ContentPlan, JsonPlan } from '../../variant-plan.ts';
import type { DocumentPolicy } from '../masking-policy.ts';
import type { Compilation } from './compilation.ts';
import { compileRuleForAny } from './compile-rule.ts';

/** What scalars of JSON can be for a rule: text may spell any of these. */
const SCALARS: readonly TypeFamily[] = [
  'text',
  'integer',
  'numeric',
  'boolean',
  'date',
  'timestamp',
  'time',
  'uuid',
  'inet',
  'mac',
];

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
  const paths = document.paths.flatMap(({ path, rule: policy }) => {
    const place = { ...(file === undefined ? {} : { table: file }), column: path };
    try {
      compilation.language.checkJsonPath(path);
    } catch (error) {
      compilation.problems.push({
        ...place,
        code: 'condition-invalid',
        message: `The path \`${path.slice(0, 200)}\` cannot be followed: ${messageOf(error)}`,
        suggestion: 'Write steps such as `$.name`, `$.list[*].name` or `$..name`.',
      });
    }
    const rule = compileRuleForAny(policy, SCALARS, place, compilation);
    return rule === undefined ? [] : [{ path, rule }];
  });
  return { unknown: document.unknown, paths, onInvalid: document.onInvalid };
}
