import type { DownloadMaterials } from './download-materials.ts';
import type { FoundSnapshot } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { DownloadChoice, DownloadFormat } from './ports/service-download.ts';
import type { DeclaredVariant, VariantContent, VariantProduction } from './ports/variant-maker.ts';
import { withoutValues } from './variant-outcomes.ts';
import { VariantStore } from './variant-store.ts';

/** A variant of a snapshot as this content. */
export interface VariantOrder {
  snapshot: FoundSnapshot;
  declared: DeclaredVariant & { fingerprint: string };
  format: DownloadFormat;
  database?: string;
}

/**
 * Holds a policy against the very content. Nothing of it is masked yet.
 * @throws HoldfastError what `VariantMaker.plan` throws; `variant-changed` (unavailable) where the policy was changed meanwhile
 */
export async function planVariant(
  context: ManagerContext,
  materials: DownloadMaterials,
  order: VariantOrder,
  signal: AbortSignal,
): Promise<VariantProduction> {
  const { variantMaker } = context;
  const { snapshot, declared } = order;
  if (variantMaker === undefined)
    throw new HoldfastError('internal', 'variant-maker-missing', 'No variants are made here.');
  try {
    const production = await variantMaker.plan(variantContent(context, materials, order), declared.name, signal);
    if (production.fingerprint === declared.fingerprint) return production;
  } catch (error) {
    throw withoutValues(error, signal);
  }
  const message = `The policy of ${snapshot.resourceId} was changed at this moment. Ask again.`;
  throw new HoldfastError('unavailable', 'variant-changed', message, { details: { retryAfterSeconds: 1 } });
}

/** A snapshot as those see it who make variants. */
export function variantContent(
  context: ManagerContext,
  materials: DownloadMaterials,
  { snapshot, format, database }: Omit<VariantOrder, 'declared'>,
): VariantContent {
  const { id: snapshotId, resourceId, dialect } = snapshot;
  const choice: DownloadChoice = { format, ...(database === undefined ? {} : { database }) };
  return {
    ...{ resourceId, snapshotId, format },
    ...(format !== 'sql' || dialect === undefined ? {} : { dialect }),
    open: ({ schemaOnly, signal, parts }) =>
      materials.open(snapshot, { ...choice, ...parts, ...(schemaOnly ? { schemaOnly } : {}) }, signal),
    sidecars: new VariantStore(context, resourceId).sidecarsOf({ sourceId: snapshotId, ...choice }),
  };
}
