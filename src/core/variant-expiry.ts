import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { DeclaredVariant } from './ports/variant-maker.ts';
import type { Resource } from './resource.ts';
import type { VariantSource } from './stored-variant.ts';
import { isGivable, sourceOf, VariantStore } from './variant-store.ts';

/** Another tool's snapshots that are looked through, of one resource. */
const MOST_EXTERNAL = 1000;

/** What is made of a backup goes with it. That it cannot is told; nobody gets it all the same, and the next clean-up tries again. */
export async function forgetVariantsOf(context: ManagerContext, { id, resourceId, ...source }: Backup): Promise<void> {
  if ((source.log ?? source.variant ?? source.sidecar) !== undefined) return;
  try {
    await new VariantStore(context, resourceId).forgetAll('its source was forgotten', id);
  } catch (error) {
    context.logger.error({ err: error, backupId: id }, 'variants of a forgotten backup could not be removed');
  }
}

/**
 * Removes what nobody gets any more: variants whose source is gone or damaged, those made by another policy or key than today's, those
 * that a later one replaces, and what is remembered of such. A policy that cannot be read removes nothing.
 * @returns ids of what was removed
 */
export async function expireVariants(context: ManagerContext, resource: Resource): Promise<readonly string[]> {
  const store = new VariantStore(context, resource.id);
  const rows = await store.rows();
  const blocks = (await context.catalogue.variantBlocks.list()).filter(({ resourceId }) => resourceId === resource.id);
  if (rows.length + blocks.length === 0) return [];
  const sources = new KnownSources(context, resource);
  const declared = await context.variantMaker?.declared(resource.id);
  const seen = new Set<string>();
  const useless: Backup[] = [];
  for (const row of rows) {
    const source = sourceOf(row);
    const place = JSON.stringify([row.sidecar === undefined, placeOf(source), (row.variant ?? row.sidecar)?.name]);
    const isNewest = !seen.has(place);
    const isOfToday = row.variant === undefined || (isGivable(row) && mayBeGiven(row.variant, declared));
    const isWhole = row.status === 'completed' && row.derivedFrom === undefined;
    if (isWhole && isOfToday && isNewest && (await sources.have(source?.sourceId ?? ''))) seen.add(place);
    else useless.push(row);
  }
  for (const block of blocks)
    if (
      !mayBeGiven({ name: block.variant, fingerprint: block.fingerprint }, declared) ||
      !(await sources.have(block.snapshotId))
    )
      await context.catalogue.variantBlocks.delete(block.id);
  const removed = await store.forget(useless, 'its source or its policy is gone');
  if (removed.length > 0) context.logger.info({ resourceId: resource.id, removed }, 'variants have expired');
  return removed;
}

function placeOf(source: VariantSource | undefined): readonly unknown[] {
  return [source?.sourceId, source?.format, source?.database];
}

/** Where no policies are known here, or one cannot be read, nobody can tell. */
function mayBeGiven(
  { name, fingerprint }: { name: string; fingerprint: string },
  declared: readonly DeclaredVariant[] | undefined,
): boolean {
  if (declared === undefined) return true;
  const now = declared.find((each) => each.name === name);
  if (now === undefined) return declared.some(({ fault }) => fault !== undefined);
  return now.fingerprint === undefined || now.fingerprint === fingerprint;
}

/** Which snapshots a resource has. */
class KnownSources {
  readonly #context: ManagerContext;
  readonly #resource: Resource;
  #external: Promise<ReadonlySet<string> | undefined> | undefined;

  constructor(context: ManagerContext, resource: Resource) {
    this.#context = context;
    this.#resource = resource;
  }

  async have(id: string): Promise<boolean> {
    const backup = await this.#context.catalogue.backups.get(id);
    if (backup !== undefined) return backup.resourceId === this.#resource.id && backup.status === 'completed';
    this.#external ??= this.#elsewhere();
    const external = await this.#external;
    // Another tool's place that does not answer says nothing of what is there.
    return external === undefined || external.has(id);
  }

  async #elsewhere(): Promise<ReadonlySet<string> | undefined> {
    const source = this.#context.services.find(this.#resource.service)?.externalSnapshots;
    if (source === undefined) return new Set();
    try {
      const { signal } = new AbortController();
      return new Set((await source.list(this.#resource, { limit: MOST_EXTERNAL, signal })).map(({ id }) => id));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#context.logger.warn({ err: error, resourceId: this.#resource.id }, 'sources of variants cannot be listed');
      return undefined;
    }
  }
}
