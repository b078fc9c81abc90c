import type { Schedule } from '../../../core/schedule.ts';
import { formatTime, localTimeZone } from '../formatting.ts';

/** What a schedule starts: `incremental backup`, `drill of the newest backup`. */
export function scheduledWork({ kind, type = 'full', which = 'newest', moment }: Schedule): string {
  if (kind === 'drill' && moment !== undefined)
    return `drill of ${moment === 'random' ? 'a random' : 'the newest'} moment`;
  if (kind === 'drill') return `drill of ${which === 'random' ? 'a random' : 'the newest'} backup`;
  return `${type} backup`;
}

/** `2026-11-22 03:30:00 (Europe/Berlin)`, in the zone of this process, or why there is none. */
export function nextRunWords({ nextRunAt, enabled }: Schedule): string {
  if (!enabled) return 'none, it is disabled';
  return nextRunAt === undefined ? 'never' : `${formatTime(nextRunAt)} (${localTimeZone()})`;
}
