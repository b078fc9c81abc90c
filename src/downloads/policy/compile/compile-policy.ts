import { HoldfastError } from '../../../core/errors.ts';
import type { ContentSchema } from '../../content/content-schema.ts';
import type { Transformer } from '../../masking/transformer.ts';
import type { ContentPlan, VariantPlan } from '../../variant-plan.ts';
import { policyHash } from '../canonical-policy.ts';
import type { MaskingPolicy } from '../masking-policy.ts';
import { checkDomains } from './check-columns.ts';
import type { Compilation, FileTree, PolicyLanguage } from './compilation.ts';
import { compileDocument } from './compile-document.ts';
import { compileFiles } from './compile-files.ts';
import { compileTables } from './compile-tables.ts';
import { NameHints } from './name-hints.ts';
import type { PolicyProblem } from './policy-problem.ts';

export interface PolicyCompilation {
  policy: MaskingPolicy;
  variant: string;
  /** What the content has: tables, one JSON document, or files, of which the tables are those that are CSV. */
  content: ContentSchema | 'document' | FileTree;
  transformers: ReadonlyMap<string, Transformer>;
  language: PolicyLanguage;
}

export type CompiledPolicy =
  | { plan: VariantPlan; problems?: undefined }
  | { plan?: undefined; problems: readonly PolicyProblem[] };

/**
 * Holds a policy against a content: the plan of a variant, or all that stands in its way. Nothing is let pass that the policy does not name.
 *
 * @throws HoldfastError `variant-not-available` (unsupported) where the policy declares no such variant
 */
export function compilePolicy(options: PolicyCompilation): CompiledPolicy {
  const { policy, content, transformers, language } = options;
  const variant = policy.variants.get(options.variant);
  if (variant === undefined)
    throw new HoldfastError(
      'unsupported',
      'variant-not-available',
      `The masking policy declares no variant \`${options.variant.slice(0, 100)}\`. It declares: ${[...policy.variants.keys()].join(', ')}.`,
    );
  const compilation: Compilation = { policy, variant, transformers, language, hints: new NameHints(), problems: [] };
  checkDomains(compilation);
  const plan = contentPlan(content, compilation);
  if (plan === undefined || compilation.problems.length > 0) return { problems: eachOnce(compilation.problems) };
  return {
    plan: {
      variant: variant.name,
      policyHash: policyHash(policy),
      epoch: policy.epoch,
      content: plan,
      detectors: policy.detectors,
    },
  };
}

function contentPlan(content: PolicyCompilation['content'], compilation: Compilation): ContentPlan | undefined {
  if (content === 'document') return compileDocument(compilation);
  if (isFileTree(content)) return compileFiles(content, compilation);
  return { kind: 'tables', tables: compileTables(content, compilation) };
}

function isFileTree(content: ContentSchema | FileTree): content is FileTree {
  return content.dialect === 'csv';
}

function eachOnce(problems: readonly PolicyProblem[]): PolicyProblem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}
