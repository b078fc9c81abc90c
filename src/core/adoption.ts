import { setTimeout as sleep } from 'node:timers/promises';
import type { Backup, BackupMetadata } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { ExternalSnapshot } from './ports/external-snapshots.ts';
import type { Service } from './ports/service.ts';
import type { Resource } from './resource.ts';

/** What is said of a whole retained set; more of them are adopted by starting again. */
export const MOST_ADOPTED_AT_ONCE = 10_000;

const DAY = 86_400_000;

/** What is there to adopt: the newest one of another tool, and the backup that it is already, if it is. */
export interface AdoptionChoice {
  snapshot: ExternalSnapshot;
  backup?: Backup;
}

/**
 * The newest backup that another tool made of a resource; undefined where Holdfast makes its backups itself. Older ones are left to
 * `adopt`, so that what a policy has forgotten does not come back with the next schedule.
 *
 * @throws HoldfastError `external-snapshot-missing`, `external-snapshot-expired` (not-found)
 */
export async function chooseNewestExternal(
  context: ManagerContext,
  { resource, service, metadata, signal }: AdoptionQuestion,
): Promise<AdoptionChoice | undefined> {
  if (service.externalSnapshots === undefined) return undefined;
  const [snapshot] = await service.externalSnapshots.list(resource, { limit: 1, signal });
  if (snapshot === undefined) throw noExternalSnapshot(resource);
  const backup = (await adoptedBackups(context, resource.id)).get(snapshot.id);
  if (backup !== undefined) return { snapshot, backup };
  if (wouldHaveExpired(snapshot, metadata, context.clock.now())) throw expired(resource, snapshot, metadata);
  return { snapshot };
}

interface AdoptionQuestion {
  resource: Resource;
  service: Service;
  /** What the backup would be given. */
  metadata: BackupMetadata;
  signal: AbortSignal;
}

/** Whether the next cleanup would take it away again. */
export function wouldHaveExpired(
  { createdAt }: ExternalSnapshot,
  { retentionDays }: BackupMetadata,
  now: Date,
): boolean {
  return retentionDays !== undefined && Date.parse(createdAt) + retentionDays * DAY <= now.getTime();
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

function expired({ id }: Resource, { createdAt }: ExternalSnapshot, { retentionDays }: BackupMetadata): HoldfastError {
  const message = `The newest finished backup of ${id} where its tool keeps them is of ${createdAt}, longer ago than retentionDays (${retentionDays}): it would be taken away again at once. Look whether that tool still makes backups.`;
  const details = { resourceId: id, createdAt };
  return new HoldfastError('not-found', 'external-snapshot-expired', message, { details });
}

export function noExternalSnapshot({ id }: Resource): HoldfastError {
  const message = `No finished backup of ${id} was found where its tool keeps them.`;
  return new HoldfastError('not-found', 'external-snapshot-missing', message, { details: { resourceId: id } });
}
