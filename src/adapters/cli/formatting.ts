export { formatBytes } from '../../core/byte-count.ts';

/** `3725000` → `1 h 02 min`. @param milliseconds at least 0 */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${twoDigits(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
}

/** The zone that this process shows times in; for headings, since `formatTime` leaves it out. */
export function localTimeZone(): string {
  // Node.js before 26 has no Temporal; a format takes it forty times as long to make.
  return typeof Temporal === 'undefined'
    ? new Intl.DateTimeFormat().resolvedOptions().timeZone
    : Temporal.Now.timeZoneId();
}

/** A time in the zone of this process: `2026-11-21 02:03:27`. */
export function formatTime(time: string | Date): string {
  const date = typeof time === 'string' ? new Date(time) : time;
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
  return `${day} ${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}:${twoDigits(date.getSeconds())}`;
}

/** `count(1, 'file')` → `1 file`, `count(1200, 'file')` → `1,200 files`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  // As toLocaleString('en-US') gives it, without the data of languages that it loads first.
  const grouped = String(number).replaceAll(/\B(?=(\d{3})+$)/g, ',');
  return `${grouped} ${number === 1 ? noun : plural}`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}
