import type { Application } from '../../../core/application.ts';
import { unlessNotFound } from '../../../core/errors.ts';
import type { Operation } from '../../../core/operation.ts';
import type { Schedule } from '../../../core/schedule.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { formatTime, localTimeZone } from '../formatting.ts';
import { noteMissingService } from './missing-service.ts';
import { nextRunWords, scheduledWork } from './schedule-words.ts';

interface ListedSchedule extends Schedule {
  /** How its last run ended, or that it still goes on; absent where it never ran, or that is no longer known. */
  lastStatus?: Operation['status'];
}

/** @param resourceId undefined for those of all resources */
export async function listSchedules(session: CommandSession, resourceId: string | undefined): Promise<void> {
  const application = await session.application();
  if (resourceId !== undefined) await application.resources.get(resourceId);
  const chosen = (await application.schedules.list()).filter(
    (schedule) => resourceId === undefined || schedule.resourceId === resourceId,
  );
  const schedules: ListedSchedule[] = [];
  for (const schedule of chosen) {
    const last = await lastOperation(application, schedule);
    schedules.push({ ...schedule, ...(last === undefined ? {} : { lastStatus: last.status }) });
  }
  session.output.table<ListedSchedule>(
    { schedules },
    [
      { heading: 'ID', value: ({ id }) => id },
      { heading: 'Resource', value: (schedule) => schedule.resourceId },
      { heading: 'Starts', value: scheduledWork },
      { heading: 'When', value: ({ cron, timeZone }) => `${cron} (${timeZone})` },
      {
        heading: `Next run (${localTimeZone()})`,
        value: ({ nextRunAt, enabled }) => {
          if (!enabled) return 'disabled';
          return nextRunAt === undefined ? 'never' : formatTime(nextRunAt);
        },
      },
      { heading: 'Last run', value: lastRunWords },
    ],
    schedules,
    'No schedules. "holdfast schedule add ID --resource ID --cron \'30 2 * * *\'" makes one.',
  );
  if (schedules.some(({ enabled }) => enabled)) await noteMissingService(session);
}

export async function showSchedule(session: CommandSession, id: string): Promise<void> {
  const application = await session.application();
  const schedule = await application.schedules.get(id);
  const last = await lastOperation(application, schedule);
  const listed: ListedSchedule = { ...schedule, ...(last === undefined ? {} : { lastStatus: last.status }) };
  session.output.result({ schedule: listed }, () => [
    printable(schedule.id),
    ...[
      ['Starts', `${scheduledWork(schedule)} of ${schedule.resourceId}`],
      ['When', `${schedule.cron} (${schedule.timeZone})`],
      ['Next run', nextRunWords(schedule)],
      ['Last run', lastRunWords(listed) || 'none'],
      ...(last?.error === undefined ? [] : [['Because', `${last.error.message} [${last.error.code}]`]]),
      ...(schedule.assertions ?? []).map((assertion) => ['Assertion', JSON.stringify(assertion)]),
    ].map(([name = '', value = '']) => `${name.padEnd(10)} ${printable(value)}`),
  ]);
}

/** @returns undefined where there was none, or it is no longer known */
async function lastOperation(application: Application, { lastOperationId }: Schedule): Promise<Operation | undefined> {
  return lastOperationId === undefined ? undefined : unlessNotFound(application.operations.get(lastOperationId));
}

/** `2026-11-21 03:30:00, failed`. */
function lastRunWords({ lastRunAt, lastStatus }: ListedSchedule): string {
  if (lastRunAt === undefined) return '';
  return `${formatTime(lastRunAt)}${lastStatus === undefined ? '' : `, ${lastStatus}`}`;
}
