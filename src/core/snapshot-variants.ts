import { sha256Of } from './content-download.ts';
import { declaredVariants } from './declared-variants.ts';
import { type ListedVariant, RAW_VARIANT, type Snapshot } from './download.ts';
import { allowsVariant, type Permission } from './download-permissions.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import type { DeclaredVariant } from './ports/variant-maker.ts';
import { isKept, type KeptVariant, type VariantBlock } from './variant.ts';
import type { VariantInput } from './variant-builder.ts';
import { allowedVariants } from './variant-choice.ts';
import { variantFormats } from './variant-formats.ts';
import { blockId, policyFaultOf, reasonOf } from './variant-outcomes.ts';
import { VariantStore } from './variant-store.ts';

/** What is known of one resource's variants. */
interface Known {
  declared: readonly DeclaredVariant[];
  kept: readonly KeptVariant[];
  underWay: readonly VariantInput[];
}

/** How variants of snapshots stand, from what is known: nothing is planned or opened for it. Each resource is looked up once. */
export class SnapshotVariants {
  readonly #context: ManagerContext;
  readonly #known = new Map<string, Promise<Known>>();
  #blocks: Promise<ReadonlyMap<string, VariantBlock>> | undefined;

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  async declared(resourceId: string): Promise<readonly DeclaredVariant[]> {
    return (await this.#of(resourceId)).declared;
  }

  /** Those of a snapshot that these permissions allow, in the order of the policy; raw is the last one. */
  async of(snapshot: Snapshot, permissions: readonly Permission[]): Promise<readonly ListedVariant[]> {
    const known = await this.#of(snapshot.resourceId);
    const mayHaveRaw = permissions.some((permission) => allowsVariant(permission, RAW_VARIANT));
    const listed: ListedVariant[] = [];
    for (const declared of allowedVariants(known.declared, permissions))
      listed.push(await this.#stateOf(snapshot, declared, known));
    return mayHaveRaw ? [...listed, { name: RAW_VARIANT, state: 'on-demand' }] : listed;
  }

  async #stateOf(snapshot: Snapshot, declared: DeclaredVariant, known: Known): Promise<ListedVariant> {
    const { name, fingerprint, fault } = declared;
    const { id: snapshotId, resourceId } = snapshot;
    if (fault !== undefined || fingerprint === undefined)
      return { name, state: 'blocked', reason: policyFaultOf(resourceId) };
    const [format] = variantFormats(snapshot, declared);
    if (format === undefined) return { name, state: 'blocked', reason: 'Such a backup cannot be masked.' };
    const kept = known.kept.find(
      ({ variant }) =>
        variant.sourceId === snapshotId && variant.fingerprint === fingerprint && variant.format === format,
    );
    if (kept !== undefined) {
      const sha256 = sha256Of(kept.checksum);
      return { name, state: 'ready', size: kept.size, ...(sha256 === undefined ? {} : { sha256 }) };
    }
    const isUnderWay = known.underWay.some((input) => input.snapshotId === snapshotId && input.variant === name);
    if (isUnderWay) return { name, state: 'building' };
    const block = (await this.#allBlocks()).get(blockId({ resourceId, snapshotId, variant: name }));
    if (block?.fingerprint === fingerprint) return { name, state: 'blocked', reason: reasonOf(block) };
    return { name, state: 'on-demand' };
  }

  #of(resourceId: string): Promise<Known> {
    const known = this.#known.get(resourceId) ?? this.#lookUp(resourceId);
    this.#known.set(resourceId, known);
    return known;
  }

  async #lookUp(resourceId: string): Promise<Known> {
    const declared = await this.#declared(resourceId);
    if (!declared.some(isKept)) return { declared, kept: [], underWay: [] };
    return {
      declared,
      kept: await new VariantStore(this.#context, resourceId).all(),
      underWay: (await this.#underWay(resourceId)).map(({ input }) => input as unknown as VariantInput),
    };
  }

  /** One resource's policies that cannot be listed must not hide what there is of all others. */
  async #declared(resourceId: string): Promise<readonly DeclaredVariant[]> {
    try {
      return await declaredVariants(this.#context, resourceId);
    } catch (error) {
      this.#context.logger.error({ err: error, resourceId }, 'the variants of a resource cannot be told');
      return [];
    }
  }

  async #underWay(resourceId: string): Promise<readonly Operation[]> {
    const { operations } = this.#context.catalogue;
    const pages = await Promise.all(
      (['running', 'queued'] as const).map((status) =>
        operations.page({ kind: 'variant', status, resourceId }, { limit: 1000 }),
      ),
    );
    return pages.flatMap(({ items }) => items);
  }

  #allBlocks(): Promise<ReadonlyMap<string, VariantBlock>> {
    this.#blocks ??= this.#context.catalogue.variantBlocks
      .list()
      .then((blocks) => new Map(blocks.map((block) => [block.id, block])));
    return this.#blocks;
  }
}
