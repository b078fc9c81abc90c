import {
  DEFAULT_DOWNLOADS,
  type ListedSnapshot,
  type ListedVariant,
  RAW_VARIANT,
  type Snapshot,
  type SnapshotListRequest,
} from './download.ts';
import {
  allowsSnapshot,
  allowsVariant,
  coveredResources,
  earliestReached,
  needsPolicies,
  type Permission,
  permissionsFor,
} from './download-permissions.ts';
import type { DownloadableSnapshots } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Page } from './ports/catalogue.ts';
import { SnapshotVariants } from './snapshot-variants.ts';
import { allowedVariants, defaultVariants } from './variant-choice.ts';

/** A page of what a caller may have, newest first. @throws HoldfastError `cursor-invalid` (invalid) */
export async function listSnapshots(
  snapshots: DownloadableSnapshots,
  context: ManagerContext,
  { principal, resourceId, limit, cursor }: SnapshotListRequest,
  signal: AbortSignal,
): Promise<Page<ListedSnapshot>> {
  const now = context.clock.now();
  const variants = new SnapshotVariants(context);
  const permissions = new KnownPermissions({ principal, now, snapshots, variants, signal });
  // Who may have nothing of a resource is answered as if there were nothing.
  if (resourceId !== undefined && (await permissions.of(resourceId)).length === 0) return { items: [] };
  const resources = resourceId === undefined ? await listedResources(principal, permissions, context) : [resourceId];
  if (resources?.length === 0) return { items: [] };
  const notBefore = earliestReached(principal, now);
  const filter = {
    ...(resourceId === undefined ? {} : { resourceId }),
    ...(resources === undefined || resourceId !== undefined ? {} : { resources }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(cursor === undefined ? {} : { before: placeOf(cursor) }),
  };
  // Of each of these something may still come.
  const left = resources?.some(isPattern) === false ? new Set(resources) : undefined;
  const found: { snapshot: Snapshot; reaching: readonly Permission[] }[] = [];
  for await (const snapshot of snapshots.newestFirst(filter, signal)) {
    const reaching = await permissions.reaching(snapshot);
    if (reaching.length > 0) found.push({ snapshot, reaching });
    if (found.length > limit) break;
    if (permissions.areOfNewestOnly(snapshot.resourceId) && left?.delete(snapshot.resourceId) && left.size === 0) break;
  }
  const items = found.slice(0, limit);
  const last = items.at(-1)?.snapshot;
  const proofs = await context.catalogue.drills.proofs(items.map(({ snapshot }) => snapshot));
  const configured = (context.configuration.downloads ?? DEFAULT_DOWNLOADS).defaultVariant;
  const listed: ListedSnapshot[] = [];
  for (const { snapshot, reaching } of items) {
    const declared = await variants.declared(snapshot.resourceId);
    const [defaultVariant] = defaultVariants(declared, reaching, configured);
    listed.push({
      ...listedSnapshot(snapshot, await variants.of(snapshot, reaching), proofs.get(snapshot.id)),
      ...(defaultVariant === undefined ? {} : { defaultVariant }),
    });
  }
  return found.length > limit && last !== undefined ? { items: listed, nextCursor: cursorOf(last) } : { items: listed };
}

/**
 * Ids, or patterns, of what a caller may have something of; undefined: all. Those who may have masked copies alone are mostly meant for a few of many
 * resources, and all backups of the others need not be read to find that out.
 */
async function listedResources(
  principal: SnapshotListRequest['principal'],
  permissions: KnownPermissions,
  { catalogue, clock }: ManagerContext,
): Promise<readonly string[] | undefined> {
  const now = clock.now();
  const covered = coveredResources(principal, now);
  if (!needsPolicies(principal, now)) return covered;
  const ids: string[] = [];
  for (const { id } of await catalogue.resources.list()) {
    if ((await permissions.of(id)).length > 0) ids.push(id);
    // So many are met soon among the newest backups of all.
    if (ids.length > MOST_NAMED) return covered;
  }
  return ids;
}

const MOST_NAMED = 50;

function isPattern(resource: string): boolean {
  return resource.endsWith('*');
}

function listedSnapshot(
  snapshot: Snapshot,
  variants: readonly ListedVariant[],
  proven: ListedSnapshot['proven'],
): ListedSnapshot {
  const { id, resourceId, resourceType, origin, createdAt, completedAt, size, formats, dialect } = snapshot;
  return {
    ...{ id, resourceId, resourceType, origin, createdAt, completedAt, formats },
    ...(size === undefined ? {} : { size }),
    ...(dialect === undefined ? {} : { dialect }),
    variants,
    ...(proven === undefined ? {} : { proven }),
  };
}

interface PermissionParts {
  principal: SnapshotListRequest['principal'];
  now: Date;
  snapshots: DownloadableSnapshots;
  variants: SnapshotVariants;
  signal: AbortSignal;
}

/** What a caller may have of each resource, and which of its snapshots is the newest, looked up once. */
class KnownPermissions {
  readonly #parts: PermissionParts;
  readonly #known = new Map<string, readonly Permission[]>();
  readonly #newest = new Map<string, string | undefined>();

  constructor(parts: PermissionParts) {
    this.#parts = parts;
  }

  /** Those that allow something that there is. */
  async of(resourceId: string): Promise<readonly Permission[]> {
    const known = this.#known.get(resourceId);
    if (known !== undefined) return known;
    const { principal, now, variants } = this.#parts;
    const all = permissionsFor(principal, resourceId, now);
    const declared = all.length === 0 ? [] : await variants.declared(resourceId);
    const allowsAny = (permission: Permission) =>
      allowsVariant(permission, RAW_VARIANT) || allowedVariants(declared, [permission]).length > 0;
    const permissions = all.filter(allowsAny);
    this.#known.set(resourceId, permissions);
    return permissions;
  }

  /** Of a resource that was looked up. */
  areOfNewestOnly(resourceId: string): boolean {
    return this.#known.get(resourceId)?.every(({ latestOnly }) => latestOnly) === true;
  }

  async reaching(snapshot: Snapshot): Promise<readonly Permission[]> {
    const permissions = await this.of(snapshot.resourceId);
    const newest = permissions.filter((permission) => allowsSnapshot(permission, snapshot, true));
    const always = permissions.filter((permission) => allowsSnapshot(permission, snapshot, false));
    if (newest.length === always.length) return always;
    return (await this.#newestOf(snapshot.resourceId)) === snapshot.id ? newest : always;
  }

  async #newestOf(resourceId: string): Promise<string | undefined> {
    if (this.#newest.has(resourceId)) return this.#newest.get(resourceId);
    const { snapshots, signal } = this.#parts;
    let newest: string | undefined;
    for await (const { id } of snapshots.newestFirst({ resourceId }, signal)) {
      newest = id;
      break;
    }
    this.#newest.set(resourceId, newest);
    return newest;
  }
}

function cursorOf({ createdAt, id }: Snapshot): string {
  return Buffer.from(JSON.stringify([createdAt, id])).toString('base64url');
}

function placeOf(cursor: string): { createdAt: string; id: string } {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parts) && parts.length === 2) {
      const [createdAt, id] = parts as unknown[];
      if (typeof id === 'string' && typeof createdAt === 'string' && !Number.isNaN(Date.parse(createdAt)))
        return { createdAt: new Date(createdAt).toISOString(), id };
    }
  } catch {
    // Not even JSON: the same answer as below.
  }
  const message =
    'This cursor was not made by Holdfast. Use the one from the page before, unchanged, or begin without one.';
  throw new HoldfastError('invalid', 'cursor-invalid', message);
}
