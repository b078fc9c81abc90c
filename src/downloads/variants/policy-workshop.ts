import { HoldfastError } from '../../core/errors.ts';
import type {
  DraftRequest,
  PolicyPlace,
  PolicyWorkshop,
  PreviewRequest,
  ReadablePolicy,
  VariantPreview,
} from '../../core/ports/policy-workshop.ts';
import type { SqlDialect } from '../../core/ports/service-download.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';
import { csvFilesOf } from '../content/files/csv-files.ts';
import type { Transformer } from '../masking/transformer.ts';
import { draftDocumentPolicy } from '../policy/detectors/draft-document-policy.ts';
import { draftFilesPolicy } from '../policy/detectors/draft-files-policy.ts';
import { type DraftOptions, draftPolicy } from '../policy/detectors/draft-policy.ts';
import { PolicyFolder } from '../policy/policy-folder.ts';
import { jsonSchemaOfPolicy } from '../policy/policy-json-schema.ts';
import { POLICY_LANGUAGE } from '../policy/policy-language.ts';
import { readPolicy } from '../policy/read-policy.ts';
import { POLICY_LIMIT_BYTES } from '../policy/yaml-text.ts';
import { parsePredicate } from '../predicate/parse-predicate.ts';
import { columnSamples } from './column-samples.ts';
import { compileVariant, policyContent, requireCompiled } from './compile-variant.ts';
import { beginsAs, schemaOf, shapeOf, withContent } from './content-reading.ts';
import { knownTransformers } from './known-transformers.ts';
import { maskingKey } from './masking-key.ts';
import { unknownVariant } from './policy-variant-maker.ts';
import { WrittenPolicy } from './readable-policy.ts';
import { variantPreview } from './variant-preview.ts';

interface PolicyWorkshopOptions {
  /** Absolute path; undefined where none is configured. */
  policyFolder: string | undefined;
  /** Absolute path. */
  transformerFolder: string | undefined;
  /** @throws HoldfastError `secret-missing` naming the reference, never the key */
  resolveSecret(reference: string): Promise<string>;
}

/** See `PolicyWorkshop` for what each method promises. */
export function createPolicyWorkshop(options: PolicyWorkshopOptions): PolicyWorkshop {
  return new FolderWorkshop(options);
}

class FolderWorkshop implements PolicyWorkshop {
  readonly #options: PolicyWorkshopOptions;
  readonly #transformers: ReadonlyMap<string, Transformer>;

  constructor(options: PolicyWorkshopOptions) {
    this.#options = options;
    this.#transformers = knownTransformers(options.transformerFolder);
  }

  async draft(content: VariantContent, { key, sampledRows }: DraftRequest, signal: AbortSignal): Promise<string> {
    const shape = await shapeOf(content, signal);
    const options = {
      ...{ resource: content.resourceId, key },
      ...{ transformers: this.#transformers, language: POLICY_LANGUAGE },
    };
    if (shape.kind === 'document') return draftDocumentPolicy(options);
    if (shape.kind === 'files') return this.#draftOfFiles(content, options, signal);
    const schema = await schemaOf(content, shape.dialect, signal);
    const samples = sampledRows === 0 ? new Map() : await columnSamples(content, { schema, rows: sampledRows, signal });
    return draftPolicy(schema, samples, options);
  }

  async #draftOfFiles(content: VariantContent, options: DraftOptions, signal: AbortSignal): Promise<string> {
    if (content.format !== 'tar') throw noTables(content, await beginsAs(content, signal));
    const files = await withContent(content, { schemaOnly: false, signal }, ({ material }) =>
      csvFilesOf(material.bytes(), signal),
    );
    return draftFilesPolicy(files, options);
  }

  async policy(place: PolicyPlace): Promise<ReadablePolicy> {
    if ('resourceId' in place) {
      const { file, policy } = await this.#found(place.resourceId);
      return new WrittenPolicy(file, policy, this.#transformers);
    }
    const { name, text } = place;
    if (Buffer.byteLength(text) > POLICY_LIMIT_BYTES) {
      const message = `The masking policy ${name} is longer than ${POLICY_LIMIT_BYTES} bytes.`;
      throw new HoldfastError('invalid', 'masking-policy-invalid', message);
    }
    return new WrittenPolicy(name, readPolicy(text, { name, parsePredicate }), this.#transformers);
  }

  async preview(content: VariantContent, request: PreviewRequest, signal: AbortSignal): Promise<VariantPreview> {
    const { resourceId } = content;
    const { policy } = await this.#found(resourceId);
    const variant = policy.variants.get(request.variant);
    if (variant === undefined) throw unknownVariant(resourceId, request.variant, policy);
    const key = await maskingKey(policy, { resource: resourceId, variant: variant.name }, this.#options.resolveSecret);
    const shape = await shapeOf(content, signal);
    const held = await policyContent(content, { shape, policy }, signal);
    const compiled = compileVariant({ policy, variant, content: held, transformers: this.#transformers });
    const { plan, subset } = requireCompiled(compiled, { resourceId, variant: variant.name });
    return variantPreview({
      ...{ content, shape, held, plan, key, request, kind: variant.kind, signal },
      ...(subset === undefined ? {} : { subset }),
    });
  }

  jsonSchema(): Record<string, unknown> {
    return jsonSchemaOfPolicy();
  }

  async #found(resourceId: string) {
    const { policyFolder } = this.#options;
    const found =
      policyFolder === undefined
        ? undefined
        : await new PolicyFolder(policyFolder, parsePredicate).policyOf(resourceId);
    if (found !== undefined) return found;
    const where =
      policyFolder === undefined
        ? 'the configuration names no folder of masking policies. Write `downloads: { policies: ./policies }` into holdfast.yaml'
        : `none in ${policyFolder} is for it`;
    const message = `There is no masking policy of ${resourceId}: ${where}. "holdfast policy init ${resourceId}" drafts one.`;
    throw new HoldfastError('not-found', 'masking-policy-missing', message);
  }
}

function noTables({ resourceId, format }: VariantContent, dialect: SqlDialect | undefined): HoldfastError {
  const next =
    dialect === undefined
      ? 'Where that is a dump of a database, say so: --format sql. Otherwise write one by hand; docs/variants.md shows how.'
      : `By its first lines this is a dump of ${dialect === 'postgresql' ? 'PostgreSQL' : 'MySQL or MariaDB'}. Say so: --format sql.`;
  const message = `A policy of ${resourceId} cannot be drafted: its backups are plain bytes (${format}), whose columns are not known. ${next}`;
  return new HoldfastError('unsupported', 'variant-format-not-offered', message);
}
