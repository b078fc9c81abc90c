import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import { forgetVariantsOf } from './variant-expiry.ts';

export interface RemovalOptions {
  /** Takes along what builds on the backup. */
  cascade: boolean;
  /** Kept in the repository's trash with the snapshot. */
  reason: string;
}

const NAMED_DEPENDANTS = 20;

/**
 * Forgets a backup and, with `cascade`, all that builds on it, newest first, so that at no moment a delta is without its base.
 * @returns ids of all that went
 * @throws HoldfastError `backup-has-dependants`, `backup-held` (conflict)
 */
export async function removeBackup(
  context: ManagerContext,
  backup: Backup,
  options: RemovalOptions,
): Promise<readonly string[]> {
  const dependants = await context.catalogue.backups.dependants(backup.id);
  if (dependants.length > 0 && !options.cascade) throw hasDependants(backup, dependants);
  const farthestFirst = [...dependants.toReversed(), backup];
  for (const each of farthestFirst) if (each.held) throw isHeld(each, backup);
  const gone: string[] = [];
  for (const each of farthestFirst) {
    await removeOne(context, each, { asked: backup, reason: options.reason });
    gone.push(each.id);
  }
  return gone;
}

/**
 * Whether it is held is looked at with the deletion of its row, in one step: whoever removes many holds rows that are minutes old.
 * The row goes first and the dependants are looked for again: a delta that was being made on this backup either is seen here,
 * or sees that its base is gone. A crash in between leaves a snapshot that the next reconciliation lists again.
 */
async function removeOne(
  context: ManagerContext,
  backup: Backup,
  { asked, reason }: { asked: Backup; reason: string },
): Promise<void> {
  const repository = context.repositories.get(backup.repositoryId);
  const { backups } = context.catalogue;
  const row = (await backups.get(backup.id)) ?? backup;
  if (!(await backups.deleteUnlessHeld(backup.id))) throw isHeld(backup, asked);
  try {
    const late = await backups.dependants(backup.id);
    if (late.length > 0) throw hasDependants(backup, late);
    await repository.forgetSnapshot(backup.id, { trashDays: context.configuration.trashDays, reason });
  } catch (error) {
    const isGone = error instanceof HoldfastError && error.code === 'snapshot-missing';
    if (isGone) return forgetVariantsOf(context, backup);
    await backups.put(row);
    throw error;
  }
  await forgetVariantsOf(context, backup);
}

function hasDependants(backup: Backup, dependants: readonly Backup[]): HoldfastError {
  const ids = dependants.slice(0, NAMED_DEPENDANTS).map(({ id }) => id);
  const more = dependants.length - ids.length;
  const named = more > 0 ? `${ids.join(', ')} and ${more} more` : ids.join(', ');
  const [count, verb] = dependants.length === 1 ? ['1 backup', 'builds'] : [`${dependants.length} backups`, 'build'];
  return new HoldfastError(
    'conflict',
    'backup-has-dependants',
    `${count} ${verb} on ${backup.id}: ${named}. Delete those first, or all together with cascade (?cascade=true, --cascade).`,
    { details: { backupId: backup.id, dependants: ids, dependantCount: dependants.length } },
  );
}

function isHeld(held: Backup, asked: Backup): HoldfastError {
  const builds = held.id === asked.id ? '' : `, which builds on ${asked.id},`;
  return new HoldfastError(
    'conflict',
    'backup-held',
    `${held.id}${builds} is held and nobody may delete it. Lift its hold first, if you are sure.`,
    { details: { backupId: held.id } },
  );
}
