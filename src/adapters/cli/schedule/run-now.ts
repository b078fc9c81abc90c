import { startScheduledWork } from '../../../core/scheduled-work.ts';
import { followBackup, tellBackup } from '../backup-outcome.ts';
import type { CommandSession } from '../command-session.ts';
import { followDrill, tellDrill } from '../drill-outcome.ts';

/** Does here and now what a schedule is for; when it runs next, and what it did last, stay as they are. */
export async function runNow(session: CommandSession, id: string): Promise<void> {
  const application = await session.application();
  const schedule = await application.schedules.get(id);
  const { resourceId, kind } = schedule;
  const action = kind === 'drill' ? 'drill.create' : 'backup.create';
  session.deed = { action, subject: resourceId, details: { resourceId, scheduleId: id } };
  const operation = await startScheduledWork(application, schedule, session.actor);
  if (kind === 'drill') return tellDrill(session, await followDrill(application, operation, session));
  const backup = await followBackup(application, operation, session);
  session.deed = { action, subject: backup.id, details: { resourceId, scheduleId: id } };
  tellBackup(session, backup);
}
