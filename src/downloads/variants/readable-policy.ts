import type {
  CheckedVariant,
  GivenSchema,
  PolicyCheck,
  PolicyDrift,
  ReadablePolicy,
} from '../../core/ports/policy-workshop.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentSchema } from '../content/content-schema.ts';
import { readFileTree } from '../content/files/file-tree.ts';
import { STREAM } from '../content/files/mask-files.ts';
import type { Transformer } from '../masking/transformer.ts';
import { checkKeptColumns } from '../policy/detectors/check-kept-columns.ts';
import type { SchemaSamples } from '../policy/detectors/column-groups.ts';
import type { MaskingPolicy } from '../policy/masking-policy.ts';
import { schemaDrift } from '../policy/schema-drift.ts';
import { columnSamples } from './column-samples.ts';
import { compileVariant, type PolicyContent, policyContent, unreadFiles } from './compile-variant.ts';
import { shapeOf, withContent } from './content-reading.ts';
import { givenSchema } from './given-schema.ts';

/** Contents of before that are looked through for one that the policy fits: the definitions of some are found only at their end. */
const LOOKED_BACK = 5;

/** A policy, for those who write it; see `ReadablePolicy`. */
export class WrittenPolicy implements ReadablePolicy {
  readonly file: string;
  readonly #policy: MaskingPolicy;
  readonly #transformers: ReadonlyMap<string, Transformer>;

  constructor(file: string, policy: MaskingPolicy, transformers: ReadonlyMap<string, Transformer>) {
    this.file = file;
    this.#policy = policy;
    this.#transformers = transformers;
  }

  get resource(): string {
    return this.#policy.resource;
  }

  async check(
    content: VariantContent | GivenSchema,
    { earlier, sampledRows }: { earlier: AsyncIterable<VariantContent> | undefined; sampledRows: number },
    signal: AbortSignal,
  ): Promise<PolicyCheck> {
    const now = 'bytes' in content ? await givenSchema(content, signal) : await this.#held(content, signal);
    const isSampled = sampledRows > 0 && isSchema(now) && !('bytes' in content);
    const samples = isSampled ? await columnSamples(content, { schema: now, rows: sampledRows, signal }) : new Map();
    const variants = this.#variants(now, samples);
    if (!isSchema(now) || earlier === undefined) return { variants };
    const drift = await this.#drift(now, earlier, signal);
    return { variants, ...(drift === undefined ? {} : { drift }) };
  }

  /** Unlike the making of a variant, which goes file by file, this reads all of a tree: what does not fit is told together. */
  async #held(content: VariantContent, signal: AbortSignal): Promise<PolicyContent> {
    const shape = await shapeOf(content, signal);
    if (shape.kind !== 'files') return policyContent(content, { shape, policy: this.#policy }, signal);
    if (content.format !== 'tar') return { ...(await unreadFiles(content, this.#policy, signal)), paths: [STREAM] };
    return withContent(content, { schemaOnly: false, signal }, ({ material }) =>
      readFileTree(material.bytes(), this.#policy.files, signal),
    );
  }

  #variants(content: PolicyContent, samples: SchemaSamples = new Map()): CheckedVariant[] {
    return [...this.#policy.variants.values()].map((variant) => {
      const compiled = compileVariant({ policy: this.#policy, variant, content, transformers: this.#transformers });
      const problems = 'plan' in compiled ? checkKeptColumns(compiled.plan, samples) : compiled.problems;
      return { name: variant.name, kind: variant.kind, problems };
    });
  }

  /** Since the newest that the policy fits; where it fits none of them, since the newest. */
  async #drift(
    now: ContentSchema,
    earlier: AsyncIterable<VariantContent>,
    signal: AbortSignal,
  ): Promise<PolicyDrift | undefined> {
    let newest: PolicyDrift | undefined;
    let looked = 0;
    for await (const content of earlier) {
      const before = await this.#held(content, signal);
      if (!isSchema(before)) break;
      const wasGood = this.#variants(before).every(({ problems }) => problems.length === 0);
      const drift = { snapshotId: content.snapshotId, wasGood, changes: schemaDrift(before, now) };
      if (wasGood) return drift;
      newest ??= drift;
      if (++looked === LOOKED_BACK) break;
    }
    return newest;
  }
}

function isSchema(content: PolicyContent): content is ContentSchema {
  return content !== 'document' && content.dialect !== 'csv';
}
