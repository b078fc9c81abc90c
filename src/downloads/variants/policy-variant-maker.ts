import { availableParallelism, tmpdir } from 'node:os';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type {
  DeclaredVariant,
  VariantContent,
  VariantMaker,
  VariantProduction,
  WantedParts,
} from '../../core/ports/variant-maker.ts';
import type { Transformer } from '../masking/transformer.ts';
import { policyHash } from '../policy/canonical-policy.ts';
import type { MaskingPolicy, VariantPolicy } from '../policy/masking-policy.ts';
import { PolicyFolder } from '../policy/policy-folder.ts';
import { parsePredicate } from '../predicate/parse-predicate.ts';
import { subsetIndex } from './chosen-rows.ts';
import { type CompiledVariant, compileVariant, policyContent, requireCompiled } from './compile-variant.ts';
import { type ContentShape, shapeOf } from './content-reading.ts';
import { knownTransformers } from './known-transformers.ts';
import { maskedMaterial } from './masked-material.ts';
import { maskingKey } from './masking-key.ts';
import { partOfKept, tablesOfKept } from './part-of-kept.ts';
import { partOfMaterial } from './part-of-material.ts';
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
  return new PolicyVariantMaker({
    policies: new PolicyFolder(policyFolder, parsePredicate),
    transformers: knownTransformers(transformerFolder),
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
      return [{ ...UNREADABLE, fault: messageOf(error) }];
    }
  }

  async plan(content: VariantContent, name: string, signal: AbortSignal): Promise<VariantProduction> {
    const policy = await this.#policyOf(content.resourceId);
    const variant = policy?.variants.get(name);
    if (policy === undefined || variant === undefined) throw unknownVariant(content.resourceId, name, policy);
    const key = await this.#keyOf(content.resourceId, policy, name);
    const shape = await shapeOf(content, signal);
    const compiled = await this.#compile({ content, policy, variant, shape }, signal);
    const { temporaryFolder } = this.#options;
    const tablesOf = (parts: WantedParts) => tablesOfKept(compiled.plan, shape, parts);
    return {
      variant: name,
      kind: variant.kind,
      policyHash: policyHash(policy),
      epoch: policy.epoch,
      fingerprint: variantFingerprint(policy, name, key),
      material: async (signal, parts) => {
        const making = { content, shape, ...compiled, key, temporaryFolder, threads: THREADS, signal };
        return parts === undefined ? maskedMaterial(making) : partOfMaterial(making, parts);
      },
      requirePartsOfKept: (parts) => void tablesOf(parts),
      partsOfKept: (kept, parts, signal) =>
        partOfKept({ content, variant: name, kept, tables: tablesOf(parts), signal }),
      readAhead: async (signal) => {
        const { subset } = compiled;
        if (subset === undefined || shape.kind !== 'tables') return;
        await subsetIndex(content, { dialect: shape.dialect, plan: subset, signal });
      },
    };
  }

  async #policyOf(resourceId: string): Promise<MaskingPolicy | undefined> {
    return (await this.#options.policies.policyOf(resourceId))?.policy;
  }

  async #declaredOf(resourceId: string, policy: MaskingPolicy, variant: VariantPolicy): Promise<DeclaredVariant> {
    const { name, kind, produce, verifiesByLoading } = variant;
    const declared = {
      name,
      kind,
      produce,
      verifiesByLoading,
      ...(isOfTables(policy) ? { isOfTables: true as const } : {}),
    };
    try {
      const key = await this.#keyOf(resourceId, policy, name);
      return { ...declared, fingerprint: variantFingerprint(policy, name, key) };
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { ...declared, fault: messageOf(error) };
    }
  }

  #keyOf(resource: string, policy: MaskingPolicy, variant: string): Promise<Uint8Array> {
    return maskingKey(policy, { resource, variant }, this.#options.resolveSecret);
  }

  async #compile({ content, policy, variant, shape }: Wanted, signal: AbortSignal): Promise<CompiledVariant> {
    const { transformers } = this.#options;
    const held = { policy, variant, transformers, content: await policyContent(content, { shape, policy }, signal) };
    return requireCompiled(compileVariant(held), { resourceId: content.resourceId, variant: variant.name });
  }
}

interface Wanted {
  content: VariantContent;
  policy: MaskingPolicy;
  variant: VariantPolicy;
  shape: ContentShape;
}

const UNREADABLE: DeclaredVariant = {
  ...{ name: 'masked', kind: 'masked', produce: 'on-demand' },
  ...{ verifiesByLoading: false, standsForAll: true },
};
/** The thread that reads and sends is left one processor. */
const THREADS = Math.max(1, Math.min(4, availableParallelism() - 1));

function inOrder({ variants, defaultVariant }: MaskingPolicy): VariantPolicy[] {
  const all = [...variants.values()];
  return [...all.filter(({ name }) => name === defaultVariant), ...all.filter(({ name }) => name !== defaultVariant)];
}

function isOfTables({ tables, tablePatterns, document, files }: MaskingPolicy): boolean {
  return tables.size + tablePatterns.size > 0 && document === undefined && files.length === 0;
}

export function unknownVariant(resourceId: string, name: string, policy: MaskingPolicy | undefined): HoldfastError {
  const declared = policy === undefined ? '' : ` It declares: ${[...policy.variants.keys()].join(', ')}.`;
  const message = `The masking policy of ${resourceId} declares no variant ${name}.${declared}`;
  return new HoldfastError('unsupported', 'variant-not-available', message);
}
