import { type ListedSnapshot, RAW_VARIANT, type Snapshot, type SnapshotListRequest } from './download.ts';
import {
  allowsSnapshot,
  allowsVariant,
  coveredResources,
  type Permission,
  permissionsFor,
} from './download-permissions.ts';
import type { DownloadableSnapshots } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Page } from './ports/catalogue.ts';

/** A page of what a caller may have, newest first. @throws HoldfastError `cursor-invalid` (invalid) */
export async function listSnapshots(
  snapshots: DownloadableSnapshots,
  context: ManagerContext,
  { principal, resourceId, limit, cursor }: SnapshotListRequest,
  signal: AbortSignal,
): Promise<Page<ListedSnapshot>> {
  const permissions = new KnownPermissions(principal, context.clock.now(), snapshots, signal);
  // Who may have nothing of a resource is answered as if there were nothing.
  if (resourceId !== undefined && permissions.of(resourceId).length === 0) return { items: [] };
  const covered = coveredResources(principal);
  const filter = {
    ...(resourceId === undefined ? {} : { resourceId }),
    ...(covered === undefined ? {} : { resources: covered }),
    ...(cursor === undefined ? {} : { before: placeOf(cursor) }),
  };
  const found: Snapshot[] = [];
  for await (const snapshot of snapshots.newestFirst(filter, signal)) {
    if (!(await permissions.allow(snapshot))) continue;
    found.push(snapshot);
    if (found.length > limit) break;
  }
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const proofs = await context.catalogue.drills.proofs(items);
  const listed = items.map((snapshot) => listedSnapshot(snapshot, proofs.get(snapshot.id)));
  return found.length > limit && last !== undefined ? { items: listed, nextCursor: cursorOf(last) } : { items: listed };
}

function listedSnapshot(snapshot: Snapshot, proven: ListedSnapshot['proven']): ListedSnapshot {
  const { id, resourceId, resourceType, origin, createdAt, completedAt, size, formats, dialect } = snapshot;
  return {
    ...{ id, resourceId, resourceType, origin, createdAt, completedAt, formats },
    ...(size === undefined ? {} : { size }),
    ...(dialect === undefined ? {} : { dialect }),
    variants: [{ name: RAW_VARIANT, state: 'on-demand' }],
    ...(proven === undefined ? {} : { proven }),
  };
}

/** What a caller may have of each resource, and which of its snapshots is the newest, looked up once. */
class KnownPermissions {
  readonly #principal: SnapshotListRequest['principal'];
  readonly #now: Date;
  readonly #snapshots: DownloadableSnapshots;
  readonly #signal: AbortSignal;
  readonly #known = new Map<string, readonly Permission[]>();
  readonly #newest = new Map<string, string | undefined>();

  constructor(
    principal: SnapshotListRequest['principal'],
    now: Date,
    snapshots: DownloadableSnapshots,
    signal: AbortSignal,
  ) {
    this.#principal = principal;
    this.#now = now;
    this.#snapshots = snapshots;
    this.#signal = signal;
  }

  of(resourceId: string): readonly Permission[] {
    const known = this.#known.get(resourceId);
    if (known !== undefined) return known;
    const permissions = permissionsFor(this.#principal, resourceId, this.#now).filter((permission) =>
      allowsVariant(permission, RAW_VARIANT),
    );
    this.#known.set(resourceId, permissions);
    return permissions;
  }

  async allow(snapshot: Snapshot): Promise<boolean> {
    const permissions = this.of(snapshot.resourceId);
    if (permissions.some((permission) => allowsSnapshot(permission, snapshot, false))) return true;
    if (!permissions.some((permission) => allowsSnapshot(permission, snapshot, true))) return false;
    return (await this.#newestOf(snapshot.resourceId)) === snapshot.id;
  }

  async #newestOf(resourceId: string): Promise<string | undefined> {
    if (this.#newest.has(resourceId)) return this.#newest.get(resourceId);
    let newest: string | undefined;
    for await (const { id } of this.#snapshots.newestFirst({ resourceId }, this.#signal)) {
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
