import type { Application } from '../../../core/application.ts';
import { messageOf } from '../../../core/errors.ts';
import type { Operation } from '../../../core/operation.ts';
import type { Schedule } from '../../../core/schedule.ts';
import { startScheduledWork } from '../../../core/scheduled-work.ts';
import { followBackup, tellBackup } from '../backup-outcome.ts';
import type { CommandSession } from '../command-session.ts';
import { followDrill, tellDrill } from '../drill-outcome.ts';

/** Does here and now what a schedule is for; when it runs next stays as it is. */
export async function runNow(session: CommandSession, id: string): Promise<void> {
  const application = await session.application();
  const schedule = await application.schedules.get(id);
  const { resourceId, kind } = schedule;
  session.deed =
    kind === 'drill'
      ? { action: 'drill.create', subject: resourceId, details: { scheduleId: id } }
      : { action: 'backup.create', details: { resourceId, scheduleId: id } };
  const operation = await startScheduledWork(application, schedule, session.actor);
  const follow = kind === 'drill' ? drillNow : backUpNow;
  try {
    await follow(session, application, operation);
  } catch (error) {
    await record(application, schedule, operation).catch((failure: unknown) =>
      session.output.warn(`The schedule "${id}" does not know that it ran: ${messageOf(failure)}`),
    );
    throw error;
  }
  await record(application, schedule, operation);
}

/** Only when it has ended: the service would wait for the end of an operation that this process takes along when it is killed. */
function record({ schedules }: Application, { id }: Schedule, operation: Operation): Promise<void> {
  return schedules.recordRun(id, operation);
}

async function backUpNow(session: CommandSession, application: Application, operation: Operation): Promise<void> {
  const backup = await followBackup(application, operation, session);
  if (session.deed !== undefined) session.deed = { ...session.deed, subject: backup.id };
  tellBackup(session, backup);
}

async function drillNow(session: CommandSession, application: Application, operation: Operation): Promise<void> {
  tellDrill(session, await followDrill(application, operation, session));
}
