import type { Schedule } from '../../core/schedule.ts';

/** What a schedule starts: `incremental backup`, `drill of the newest backup`. */
export function scheduledWork({ kind, type = 'full', which = 'newest' }: Schedule): string {
  if (kind === 'drill') return `drill of ${which === 'random' ? 'a random' : 'the newest'} backup`;
  return `${type} backup`;
}
