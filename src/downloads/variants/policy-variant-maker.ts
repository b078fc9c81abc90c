import { availableParallelism, tmpdir } from 'node:os';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type {
  DeclaredVariant,
  VariantContent,
  VariantMaker,
  VariantProduction,
} from '../../core/ports/variant-maker.ts';
import type { ContentSchema } from '../content/content-schema.ts';
import { folderTransformers } from '../masking/folder/folder-transformers.ts';
import type { Transformer } from '../masking/transformer.ts';
import { TRANSFORMERS } from '../masking/transformers.ts';
import { variantKey } from '../masking/variant-keys.ts';
import { policyHash } from '../policy/canonical-policy.ts';
import { compilePolicy } from '../policy/compile/compile-policy.ts';
import type { PolicyProblem } from '../policy/compile/policy-problem.ts';
import type { MaskingPolicy, VariantPolicy } from '../policy/masking-policy.ts';
import { PolicyFolder } from '../policy/policy-folder.ts';
import { POLICY_LANGUAGE } from '../policy/policy-language.ts';
import { parsePredicate } from '../predicate/parse-predicate.ts';
import { compileSubset, type SubsetProblem } from '../subset/compile-subset.ts';
import type { SubsetPlan } from '../subset/subset-plan.ts';
import type { VariantPlan } from '../variant-plan.ts';
import { type ContentShape, schemaOf, shapeOf } from './content-reading.ts';
import { maskedMaterial } from './masked-material.ts';
import { variantFingerprint } from './variant-fingerprint.ts';

interface PolicyVariantMakerOptions {
  policies: PolicyFolder;
  transformers: ReadonlyMap<string, Transformer>;
  /** Gives the text of the key that a policy refers to. @throws HoldfastError `secret-missing` naming the reference, never the key */
  resolveSecret(reference: string): Promise<string>;
  /** Folder for what must be written down while it is masked. */
  temporaryFolder: string;
}

/** @param options `policyFolder`, `transformerFolder`: absolute paths */
export function createPolicyVariantMaker(options: {
  policyFolder: string;
  transformerFolder: string | undefined;
  resolveSecret(reference: string): Promise<string>;
}): VariantMaker {
  const { policyFolder, transformerFolder, resolveSecret } = options;
  const own = folderTransformers(transformerFolder).map((transformer) => [transformer.name, transformer] as const);
  return new PolicyVariantMaker({
    policies: new PolicyFolder(policyFolder, parsePredicate),
    transformers: new Map([...TRANSFORMERS, ...own]),
    resolveSecret,
    temporaryFolder: tmpdir(),
  });
}

/** Makes variants by the policies of a folder; see `VariantMaker` for what each method promises. */
class PolicyVariantMaker implements VariantMaker {
  readonly #options: PolicyVariantMakerOptions;

  constructor(options: PolicyVariantMakerOptions) {
    this.#options = options;
  }

  async declared(resourceId: string): Promise<readonly DeclaredVariant[]> {
    try {
      const policy = await this.#policyOf(resourceId);
      if (policy === undefined) return [];
      return await Promise.all(inOrder(policy).map((variant) => this.#declaredOf(resourceId, policy, variant)));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      // Which variants there would be cannot be known; that there are some, and why they are not had, can.
      return [
        { name: UNREADABLE, kind: 'masked', produce: 'on-demand', verifiesByLoading: false, fault: messageOf(error) },
      ];
    }
  }

  async plan(content: VariantContent, name: string, signal: AbortSignal): Promise<VariantProduction> {
    const policy = await this.#policyOf(content.resourceId);
    const variant = policy?.variants.get(name);
    if (policy === undefined || variant === undefined) throw unknownVariant(content.resourceId, name);
    const key = await this.#keyOf(content.resourceId, policy, name);
    const shape = shapeOf(content);
    const compiled = await this.#compile({ content, policy, variant, shape }, signal);
    const { temporaryFolder } = this.#options;
    return {
      variant: name,
      kind: variant.kind,
      policyHash: policyHash(policy),
      epoch: policy.epoch,
      fingerprint: variantFingerprint(policy, name, key),
      material: (signal) =>
        maskedMaterial({ content, shape, ...compiled, key, temporaryFolder, threads: THREADS, signal }),
    };
  }

  async #policyOf(resourceId: string): Promise<MaskingPolicy | undefined> {
    return (await this.#options.policies.policyOf(resourceId))?.policy;
  }

  async #declaredOf(resourceId: string, policy: MaskingPolicy, variant: VariantPolicy): Promise<DeclaredVariant> {
    const { name, kind, produce, verifiesByLoading } = variant;
    const declared = { name, kind, produce, verifiesByLoading };
    try {
      const key = await this.#keyOf(resourceId, policy, name);
      return { ...declared, fingerprint: variantFingerprint(policy, name, key) };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { ...declared, fault: messageOf(error) };
    }
  }

  async #keyOf(resource: string, policy: MaskingPolicy, variant: string): Promise<Uint8Array> {
    const master = Buffer.from(await this.#options.resolveSecret(policy.key));
    if (master.length >= SHORTEST_KEY) return variantKey(master, { resource, variant, epoch: policy.epoch });
    const message = `The key that the masking policy of ${resource} refers to (${policy.key}) is shorter than ${SHORTEST_KEY} characters, and could be guessed. Make one with \`openssl rand -base64 32\`.`;
    throw new HoldfastError('invalid', 'masking-key-too-short', message);
  }

  async #compile({ content, policy, variant, shape }: Wanted, signal: AbortSignal): Promise<Compiled> {
    const schema = shape.kind === 'tables' ? await schemaOf(content, shape.dialect, signal) : undefined;
    const { transformers } = this.#options;
    const found = compilePolicy({
      ...{ policy, variant: variant.name, transformers, language: POLICY_LANGUAGE },
      content: schema ?? (shape.kind === 'document' ? 'document' : { dialect: 'csv', tables: [] }),
    });
    const { plan } = found;
    const reduced = schema === undefined ? undefined : subsetOf(variant, schema, plan);
    const problems = [
      ...(found.problems ?? []),
      ...(reduced !== undefined && 'problems' in reduced ? reduced.problems : []),
    ];
    if (plan === undefined || problems.length > 0) throw blocked(content.resourceId, variant.name, problems);
    return { plan, ...(reduced !== undefined && 'plan' in reduced ? { subset: reduced.plan } : {}) };
  }
}

interface Wanted {
  content: VariantContent;
  policy: MaskingPolicy;
  variant: VariantPolicy;
  shape: ContentShape;
}

interface Compiled {
  plan: VariantPlan;
  subset?: SubsetPlan;
}

/** Stands for all variants of a policy that cannot be read. */
const UNREADABLE = 'masked';
/** Characters; 128 bits in base64 have 22, in hex 32. */
const SHORTEST_KEY = 22;
/** The thread that reads and sends is left one processor. */
const THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));
const PROBLEMS_TOLD = 3;

function inOrder({ variants, defaultVariant }: MaskingPolicy): VariantPolicy[] {
  const all = [...variants.values()];
  return [...all.filter(({ name }) => name === defaultVariant), ...all.filter(({ name }) => name !== defaultVariant)];
}

function subsetOf(variant: VariantPolicy, schema: ContentSchema, plan: VariantPlan | undefined) {
  if (variant.subset === undefined) return undefined;
  const tables = plan?.content.kind === 'tables' ? plan.content.tables : undefined;
  const fates = new Map(tables?.map(({ table, fate }) => [table, fate]));
  return compileSubset(variant.subset, schema, (table) => (fates.get(table) ?? 'rows') === 'rows');
}

function blocked(
  resourceId: string,
  variant: string,
  problems: readonly (PolicyProblem | SubsetProblem)[],
): HoldfastError {
  const told = problems.slice(0, PROBLEMS_TOLD).map(({ message, suggestion }) => `${message} ${suggestion}`);
  const more = problems.length > PROBLEMS_TOLD ? ` And ${problems.length - PROBLEMS_TOLD} more.` : '';
  const message = `The variant ${variant} of ${resourceId} is not made: its masking policy does not fit what was backed up. ${told.join(' ')}${more} Nothing was given.`;
  return new HoldfastError('unsupported', 'variant-blocked', message, { details: { problems } });
}

function unknownVariant(resourceId: string, name: string): HoldfastError {
  const message = `The masking policy of ${resourceId} declares no variant ${name}.`;
  return new HoldfastError('unsupported', 'variant-not-available', message);
}
