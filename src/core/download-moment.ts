import { HoldfastError } from './errors.ts';
import { readMoment } from './moment.ts';

const MILLISECONDS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const RELATIVE = /^-(\d{1,6})([mhdw])$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/**
 * The latest moment at which a snapshot may have been complete: `latest`, an instant by RFC 3339 (one without a fraction names its
 * whole second), a date (its whole day, UTC), or how long ago (`-30m`, `-12h`, `-7d`, `-2w`).
 *
 * @returns RFC 3339 in UTC with milliseconds; undefined for the latest
 * @throws HoldfastError `download-choice-invalid` (invalid)
 */
export function momentOfChoice(at: string, now: Date): string | undefined {
  if (at === 'latest') return undefined;
  const [, amount, unit] = RELATIVE.exec(at) ?? [];
  if (amount !== undefined) {
    const ago = Number(amount) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
    return new Date(Math.max(0, now.getTime() - ago)).toISOString();
  }
  const moment = readMoment(DATE.test(at) ? `${at}T23:59:59Z` : at);
  if (moment !== undefined) return new Date(moment.lastMillisecond).toISOString();
  throw new HoldfastError(
    'invalid',
    'download-choice-invalid',
    '`at` is no time. Use latest, a time such as 2026-11-20T02:00:00Z, a date such as 2026-11-20, or how long ago: -30m, -12h, -7d, -2w.',
    { details: { field: 'at' } },
  );
}
