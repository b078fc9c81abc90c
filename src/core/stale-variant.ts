import { allowsSnapshot, type Permission } from './download-permissions.ts';
import { DownloadableSnapshots, type FoundSnapshot } from './downloadable-snapshots.ts';
import type { ManagerContext } from './manager-context.ts';
import { variantFormats } from './variant-formats.ts';
import type { VariantOutcomes } from './variant-outcomes.ts';
import type { VariantOrder } from './variant-production.ts';
import { VariantStore } from './variant-store.ts';

/**
 * Of a kept variant that is not there yet: the newest older snapshot of which it is, made by the policy and key as they are now, and these permissions
 * reach. Undefined where the wanted one is there, or is known to be impossible: then that is the answer.
 */
export async function olderReady(
  context: ManagerContext,
  outcomes: VariantOutcomes,
  wanted: { order: VariantOrder; permissions: readonly Permission[]; completeBy: string | undefined },
  signal: AbortSignal,
): Promise<{ snapshot: FoundSnapshot; permissions: readonly Permission[] } | undefined> {
  const { permissions, completeBy } = wanted;
  const { snapshot, declared, format, database } = wanted.order;
  const { resourceId, id, createdAt } = snapshot;
  const same = (await new VariantStore(context, resourceId).all()).filter(
    ({ variant }) =>
      variant.name === declared.name &&
      variant.fingerprint === declared.fingerprint &&
      variant.format === format &&
      variant.database === database,
  );
  const isBlocked = async (snapshotId: string): Promise<boolean> => {
    const subject = { resourceId, snapshotId, variant: declared.name, fingerprint: declared.fingerprint };
    return (await outcomes.blockOf(subject)) !== undefined;
  };
  if (same.some(({ variant }) => variant.sourceId === id) || (await isBlocked(id))) return undefined;
  const sources = new Set(same.map(({ variant }) => variant.sourceId));
  if (sources.size === 0) return undefined;
  const filter = { resourceId, before: { id, createdAt }, ...(completeBy === undefined ? {} : { completeBy }) };
  for await (const older of new DownloadableSnapshots(context).newestFirst(filter, signal)) {
    if (!sources.delete(older.id)) continue;
    const reaching = permissions.filter((permission) => allowsSnapshot(permission, older, false));
    const isOffered = variantFormats(older, declared).includes(format);
    if (reaching.length > 0 && isOffered && !(await isBlocked(older.id)))
      return { snapshot: older, permissions: reaching };
    if (sources.size === 0) break;
  }
  return undefined;
}
