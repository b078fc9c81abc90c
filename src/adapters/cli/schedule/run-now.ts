import type { Application } from '../../../core/application.ts';
import type { Schedule } from '../../../core/schedule.ts';
import { startScheduledWork } from '../../../core/scheduled-work.ts';
import { followBackup, tellBackup } from '../backup-outcome.ts';
import type { CommandSession } from '../command-session.ts';
import { followDrill, tellDrill } from '../drill-outcome.ts';

/** Does here and now what a schedule is for; when it runs next stays as it is. */
export async function runNow(session: CommandSession, id: string): Promise<void> {
  const application = await session.application();
  const schedule = await application.schedules.get(id);
  if (schedule.kind === 'drill') await drillNow(session, application, schedule);
  else await backUpNow(session, application, schedule);
}

async function backUpNow(session: CommandSession, application: Application, schedule: Schedule): Promise<void> {
  const details = { resourceId: schedule.resourceId, scheduleId: schedule.id };
  session.deed = { action: 'backup.create', details };
  const operation = await startScheduledWork(application, schedule, session.actor);
  try {
    const backup = await followBackup(application, operation, session);
    session.deed = { ...session.deed, subject: backup.id };
    tellBackup(session, backup);
  } finally {
    // Only now: the service would wait for the end of an operation that this process takes along when it is killed.
    await application.schedules.recordRun(schedule.id, operation);
  }
}

async function drillNow(session: CommandSession, application: Application, schedule: Schedule): Promise<void> {
  session.deed = { action: 'drill.create', subject: schedule.resourceId, details: { scheduleId: schedule.id } };
  const operation = await startScheduledWork(application, schedule, session.actor);
  try {
    tellDrill(session, await followDrill(application, operation, session));
  } finally {
    await application.schedules.recordRun(schedule.id, operation);
  }
}
