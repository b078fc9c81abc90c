import type { Schedule } from './schedule.ts';
import { nextRun } from './schedule-manager.ts';

/**
 * The schedules that were due while nobody served: since they last ran, or since they were last changed, whichever is later. A
 * machine that sleeps at night still gets its backup, once, when it wakes.
 */
export function missedSchedules(schedules: readonly Schedule[], now: Date): Schedule[] {
  return schedules.filter(({ enabled, cron, timeZone, updatedAt, lastRunAt = '' }) => {
    if (!enabled) return false;
    const since = new Date(lastRunAt > updatedAt ? lastRunAt : updatedAt);
    const due = nextRun(cron, timeZone, since);
    return due !== undefined && due <= now;
  });
}
