import { HoldfastError } from '../../core/errors.ts';
import type { FoundProblem } from '../../core/ports/policy-workshop.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentSchema } from '../content/content-schema.ts';
import type { Transformer } from '../masking/transformer.ts';
import { compilePolicy, type PolicyCompilation } from '../policy/compile/compile-policy.ts';
import type { MaskingPolicy, VariantPolicy } from '../policy/masking-policy.ts';
import { POLICY_LANGUAGE } from '../policy/policy-language.ts';
import { compileSubset } from '../subset/compile-subset.ts';
import type { SubsetPlan } from '../subset/subset-plan.ts';
import type { VariantPlan } from '../variant-plan.ts';
import { type ContentShape, schemaOf } from './content-reading.ts';

export interface CompiledVariant {
  plan: VariantPlan;
  subset?: SubsetPlan;
}

/** What a content is to the compiler of policies. */
export type PolicyContent = PolicyCompilation['content'];

/** @throws HoldfastError `variant-content-unreadable` (unsupported) */
export async function policyContent(
  content: VariantContent,
  shape: ContentShape,
  signal: AbortSignal,
): Promise<PolicyContent> {
  if (shape.kind === 'tables') return schemaOf(content, shape.dialect, signal);
  return shape.kind === 'document' ? 'document' : { dialect: 'csv', tables: [] };
}

/** Holds a variant's rules and its subset against a content: how it is made, or all that stands in its way. */
export function compileVariant(options: {
  policy: MaskingPolicy;
  variant: VariantPolicy;
  content: PolicyContent;
  transformers: ReadonlyMap<string, Transformer>;
}): CompiledVariant | { problems: readonly FoundProblem[] } {
  const { policy, variant, content, transformers } = options;
  const { plan, problems = [] } = compilePolicy({
    ...{ policy, variant: variant.name, content, transformers, language: POLICY_LANGUAGE },
  });
  if (isFiles(content) && policy.files.length === 0) return { problems: [NO_FILES] };
  const reduced = isSchema(content) ? subsetOf(variant, { schema: content, plan, policy }) : undefined;
  const all = [...problems, ...(reduced !== undefined && 'problems' in reduced ? reduced.problems : [])];
  if (plan === undefined || all.length > 0) return { problems: all };
  return { plan, ...(reduced !== undefined && 'plan' in reduced ? { subset: reduced.plan } : {}) };
}

/** @throws HoldfastError `variant-blocked` (unsupported) with `details.problems` */
export function requireCompiled(
  compiled: ReturnType<typeof compileVariant>,
  { resourceId, variant }: { resourceId: string; variant: string },
): CompiledVariant {
  if ('plan' in compiled) return compiled;
  const { problems } = compiled;
  const told = problems.slice(0, PROBLEMS_TOLD).map(({ message, suggestion }) => `${message} ${suggestion}`);
  const more = problems.length > PROBLEMS_TOLD ? ` And ${problems.length - PROBLEMS_TOLD} more.` : '';
  const message = `The variant ${variant} of ${resourceId} is not made: its masking policy does not fit what was backed up. ${told.join(' ')}${more} Nothing was given.`;
  throw new HoldfastError('unsupported', 'variant-blocked', message, { details: { problems } });
}

const PROBLEMS_TOLD = 3;

function subsetOf(
  variant: VariantPolicy,
  { schema, plan, policy }: { schema: ContentSchema; plan: VariantPlan | undefined; policy: MaskingPolicy },
) {
  if (variant.subset === undefined) return undefined;
  const tables = plan?.content.kind === 'tables' ? plan.content.tables : undefined;
  const fates = new Map(tables?.map(({ table, fate }) => [table, fate]));
  const fateOf = (table: string) => fates.get(table) ?? policy.tables.get(table)?.fate ?? 'rows';
  return compileSubset(variant.subset, schema, (table) => fateOf(table) === 'rows');
}

const NO_FILES: FoundProblem = {
  code: 'file-not-named',
  message: 'The content is files, of which the policy says nothing.',
  suggestion:
    'Name them under `files`. Where the backup is a dump of a database, ask for it as that: `--format sql`, or `format=sql` of a download.',
};

function isFiles(content: PolicyContent): boolean {
  return content !== 'document' && content.dialect === 'csv';
}

function isSchema(content: PolicyContent): content is ContentSchema {
  return content !== 'document' && content.dialect !== 'csv';
}
