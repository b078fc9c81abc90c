import { setTimeout as sleep } from 'node:timers/promises';
import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { ExternalSnapshot } from './ports/external-snapshots.ts';
import type { Service } from './ports/service.ts';
import type { Resource } from './resource.ts';

/** What is said of a whole retained set; more of them are adopted by starting again. */
export const MOST_ADOPTED_AT_ONCE = 10_000;

/** What is there to adopt: the newest one of another tool, and the backup that it is already, if it is. */
export interface AdoptionChoice {
  snapshot: ExternalSnapshot;
  backup?: Backup;
}

/**
 * The newest backup that another tool made of a resource; undefined where Holdfast makes its backups itself. Older ones are left to
 * `adopt`, so that what a policy has forgotten does not come back with the next schedule.
 *
 * @throws HoldfastError `external-snapshot-missing` (not-found)
 */
export async function chooseNewestExternal(
  context: ManagerContext,
  resource: Resource,
  service: Service,
  signal: AbortSignal,
): Promise<AdoptionChoice | undefined> {
  if (service.externalSnapshots === undefined) return undefined;
  const [snapshot] = await service.externalSnapshots.list(resource, { limit: 1, signal });
  if (snapshot === undefined) throw noExternalSnapshot(resource);
  const backup = (await adoptedBackups(context, resource.id)).get(snapshot.id);
  return backup === undefined ? { snapshot } : { snapshot, backup };
}

/** The backups of a resource that were another tool's, by the ids that these have there. */
export async function adoptedBackups(
  { catalogue }: Pick<ManagerContext, 'catalogue'>,
  resourceId: string,
): Promise<ReadonlyMap<string, Backup>> {
  const adopted = (await catalogue.backups.allOf(resourceId)).flatMap((backup) =>
    backup.external === undefined ? [] : [[backup.external.id, backup] as const],
  );
  return new Map(adopted);
}

/**
 * To be asked in turn with others of the same resource, before anything is fetched.
 * @throws HoldfastError `already-adopted` (conflict)
 */
export async function requireNotAdopted(
  context: ManagerContext,
  resourceId: string,
  snapshot: ExternalSnapshot,
): Promise<void> {
  const backup = (await adoptedBackups(context, resourceId)).get(snapshot.id);
  if (backup !== undefined) throw alreadyAdopted(snapshot, backup.id);
}

/**
 * Whether another process adopted the same one meanwhile, seen after this one's row was entered: each looks after it entered its own, so
 * at least one of them sees the other. The later one gives way at once; the earlier one gives it time for that, since the other may have
 * looked before this one's row was there, and then stays.
 */
export async function adoptedElsewhere(context: ManagerContext, backup: Backup): Promise<HoldfastError | undefined> {
  const { external, resourceId, id } = backup;
  if (external === undefined) return undefined;
  for (let look = 1; ; look++) {
    const all = await context.catalogue.backups.allOf(resourceId);
    const other = all.find((each) => each.external?.id === external.id && each.id !== id);
    if (other === undefined) return undefined;
    if (other.id < id || look === MOST_LOOKS) return alreadyAdopted(external, other.id);
    await sleep(LOOK_MILLISECONDS);
  }
}

const MOST_LOOKS = 20;
const LOOK_MILLISECONDS = 100;

function alreadyAdopted(
  { id, createdAt }: Pick<ExternalSnapshot, 'id' | 'createdAt'>,
  backupId: string,
): HoldfastError {
  const message = `The backup of ${createdAt} is in the repository already, as ${backupId}.`;
  return new HoldfastError('conflict', 'already-adopted', message, { details: { externalId: id, backupId } });
}

export function noExternalSnapshot({ id }: Resource): HoldfastError {
  const message = `No finished backup of ${id} was found where its tool keeps them.`;
  return new HoldfastError('not-found', 'external-snapshot-missing', message, { details: { resourceId: id } });
}
