import { HoldfastError } from '../../core/errors.ts';
import type { FoundProblem } from '../../core/ports/policy-workshop.ts';
import type { SqlDialect } from '../../core/ports/service-download.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentSchema } from '../content/content-schema.ts';
import type { Transformer } from '../masking/transformer.ts';
import type { FileTree } from '../policy/compile/compilation.ts';
import { compilePolicy, type PolicyCompilation } from '../policy/compile/compile-policy.ts';
import type { MaskingPolicy, VariantPolicy } from '../policy/masking-policy.ts';
import { POLICY_LANGUAGE } from '../policy/policy-language.ts';
import { compileSubset } from '../subset/compile-subset.ts';
import type { SubsetPlan } from '../subset/subset-plan.ts';
import type { VariantPlan } from '../variant-plan.ts';
import { beginsAs, type ContentShape, schemaOf } from './content-reading.ts';

export interface CompiledVariant {
  plan: VariantPlan;
  subset?: SubsetPlan;
}

/** What a content is to the compiler of policies. */
export type PolicyContent = PolicyCompilation['content'] | UnreadFiles;

/** Files that are known when they are read. */
interface UnreadFiles extends FileTree {
  /** Whose dump it looks like that was asked for as plain bytes. */
  beginsAs?: SqlDialect;
}

/** @throws HoldfastError `variant-content-unreadable` (unsupported) */
export async function policyContent(
  content: VariantContent,
  { shape, policy }: { shape: ContentShape; policy: MaskingPolicy },
  signal: AbortSignal,
): Promise<PolicyContent> {
  if (shape.kind === 'tables') return schemaOf(content, shape.dialect, signal);
  if (shape.kind === 'document') return 'document';
  return unreadFiles(content, policy, signal);
}

/** Looks into plain bytes only where the policy says nothing of them. */
export async function unreadFiles(
  content: VariantContent,
  policy: MaskingPolicy,
  signal: AbortSignal,
): Promise<UnreadFiles> {
  const tree = { dialect: 'csv', tables: [] } as const;
  if (content.format !== 'bytes' || policy.files.length > 0) return tree;
  const dialect = await beginsAs(content, signal);
  return dialect === undefined ? tree : { ...tree, beginsAs: dialect };
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
  if (isFiles(content) && policy.files.length === 0) return { problems: [nothingOfFiles(content)] };
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

/** What is piped into a backup is bytes to everybody who does not say that it is SQL. */
function nothingOfFiles({ beginsAs }: UnreadFiles): FoundProblem {
  const code = 'file-not-named';
  const asSql = '`format=sql` of a download, `--format sql` of commands';
  if (beginsAs === undefined)
    return {
      code,
      message: 'The backup is taken as files or plain bytes, and the policy names none under `files`.',
      suggestion: `Name them there. Where the backup is a dump of a database, ask for it as SQL: ${asSql}.`,
    };
  const whose = beginsAs === 'postgresql' ? 'PostgreSQL' : 'MySQL or MariaDB';
  return {
    code,
    message: `The backup is a dump of ${whose} by its first lines, and was asked for as plain bytes, of which the policy says nothing.`,
    suggestion: `Ask for it as SQL: ${asSql}.`,
  };
}

function isFiles(content: PolicyContent): content is UnreadFiles {
  return content !== 'document' && content.dialect === 'csv';
}

function isSchema(content: PolicyContent): content is ContentSchema {
  return content !== 'document' && content.dialect !== 'csv';
}
