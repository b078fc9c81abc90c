import type { Backup } from './backup.ts';
import { HoldfastError, isTransient } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Progress } from './operation.ts';
import type { Repository } from './ports/repository.ts';

export interface Reconciliation {
  added: number;
  removed: number;
  /** Snapshots that are there and cannot be read. */
  unreadable: readonly string[];
}

const AT_ONCE = 16;

/**
 * Brings the catalogue in line with a repository. Cheap where nothing changed: two sets of ids are compared, and only
 * snapshots that the catalogue lacks are opened.
 *
 * Backups may come and go meanwhile. The catalogue is read before the repository is listed: a backup enters the catalogue
 * after its snapshot is published, so a row that has no snapshot then has really lost it.
 */
export async function reconcileCatalogue(
  context: ManagerContext,
  repositoryId: string,
  report?: (progress: Progress) => void,
): Promise<Reconciliation> {
  const repository = context.repositories.get(repositoryId);
  const listed = await context.catalogue.backups.idsOf(repositoryId);
  const snapshots = await repository.listSnapshots();
  const present = new Set(snapshots);
  const missing = snapshots.filter((id) => !listed.has(id));
  const gone = [...listed].filter((id) => !present.has(id));
  const unreadable = await addAll(context, repositoryId, missing, report);
  for (const id of gone) await context.catalogue.backups.delete(id);
  if (gone.length > 0) {
    const facts = { repositoryId, removed: gone.length, backupIds: gone.slice(0, 20) };
    context.logger.warn(facts, 'the catalogue listed backups whose snapshots are gone');
  }
  const added = missing.filter((id) => !unreadable.includes(id));
  if (added.length > 0) await dropForgotten(context, repository, added);
  return { added: added.length, removed: gone.length, unreadable };
}

async function addAll(
  context: ManagerContext,
  repositoryId: string,
  ids: readonly string[],
  report: ((progress: Progress) => void) | undefined,
): Promise<string[]> {
  const unreadable: string[] = [];
  for (let start = 0; start < ids.length; start += AT_ONCE) {
    const group = ids.slice(start, start + AT_ONCE);
    const outcomes = await Promise.all(group.map((id) => addOne(context, repositoryId, id)));
    unreadable.push(...group.filter((_id, index) => outcomes[index] === 'unreadable'));
    const done = start + group.length;
    const percent = Math.floor((100 * done) / ids.length);
    report?.({ percent, phase: 'reading snapshots', doneFiles: done, totalFiles: ids.length });
  }
  return unreadable;
}

/** Puts a snapshot into the catalogue. @throws whatever reading it throws */
export async function adoptSnapshot(context: ManagerContext, repositoryId: string, id: string): Promise<Backup> {
  const reader = await context.repositories.get(repositoryId).openSnapshot(id);
  // The name that another machine's configuration gave the repository does not count here.
  const backup = { ...reader.record.backup, repositoryId };
  await reader.close();
  if ((backup.log ?? backup.variant ?? backup.sidecar) !== undefined) return listed(context, backup);
  await context.catalogue.resources.ensure({
    id: backup.resourceId,
    type: backup.resourceType,
    service: backup.service,
    configuration: {},
    repositoryId,
    createdAt: backup.createdAt,
    updatedAt: backup.createdAt,
  });
  return listed(context, backup);
}

async function listed(context: ManagerContext, backup: Backup): Promise<Backup> {
  await context.catalogue.backups.put(backup);
  return backup;
}

async function addOne(
  context: ManagerContext,
  repositoryId: string,
  id: string,
): Promise<'added' | 'forgotten' | 'unreadable'> {
  try {
    await adoptSnapshot(context, repositoryId, id);
    return 'added';
  } catch (error) {
    if (!(error instanceof HoldfastError) || isTransient(error)) throw error;
    if (error.code === 'snapshot-missing') return 'forgotten';
    context.logger.error({ err: error, repositoryId, snapshotId: id }, 'a snapshot cannot be read');
    return 'unreadable';
  }
}

/** A backup that was deleted after the listing must not come back. */
async function dropForgotten(context: ManagerContext, repository: Repository, added: readonly string[]): Promise<void> {
  const present = new Set(await repository.listSnapshots());
  for (const id of added) if (!present.has(id)) await context.catalogue.backups.delete(id);
}
