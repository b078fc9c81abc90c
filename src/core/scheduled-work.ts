import type { BackupManager } from './application.ts';
import type { DrillManager } from './drill-request.ts';
import type { Operation } from './operation.ts';
import type { Schedule } from './schedule.ts';

/** Starts what a schedule is for, whether it is due or not. @param createdBy who starts it */
export function startScheduledWork(
  { backups, drills }: { backups: Pick<BackupManager, 'start'>; drills: Pick<DrillManager, 'start'> },
  { resourceId, kind, type = 'full', which, moment, assertions = [] }: Schedule,
  createdBy: string,
): Promise<Operation> {
  const choice = { ...(which === undefined ? {} : { which }), ...(moment === undefined ? {} : { moment }) };
  if (kind === 'drill') return drills.start({ resourceId, ...choice, assertions, createdBy });
  return backups.start({ resourceId, type, createdBy });
}
