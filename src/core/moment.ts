/** A moment as somebody wrote it. */
export interface Moment {
  /** As it was written, without digits of the second beyond microseconds, which is what databases know. */
  readonly written: string;
  /** Since 1970: the last whole one that is not after it. */
  readonly milliseconds: number;
  /**
   * Since 1970: the last one that it names. Without a fraction it names its whole second, so that a backup of 12:00:00.300 is found under the
   * `12:00:00Z` that `date` printed right after it.
   */
  readonly lastMillisecond: number;
}

/**
 * Reads a moment by RFC 3339: what no calendar or clock shows, a leap second, and a year that has not four digits in UTC are none.
 * @returns undefined: it is none
 */
export function readMoment(text: string): Moment | undefined {
  const [, date, hour, minute, second, fraction = '', zone] = MOMENT.exec(text) ?? [];
  if (date === undefined || zone === undefined) return undefined;
  const seconds = Date.parse(`${date}T${hour}:${minute}:${second}${zone.toUpperCase()}`);
  const milliseconds = seconds + Number(fraction.slice(1, 4).padEnd(3, '0'));
  if (Number.isNaN(seconds) || seconds < EARLIEST || seconds > LATEST || !isDate(date)) return undefined;
  return {
    written: text.replace(/(\.\d{6})\d+/, '$1'),
    milliseconds,
    lastMillisecond: fraction === '' ? milliseconds + 999 : milliseconds,
  };
}

const MOMENT = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(\.\d+)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i;
/** Others are written with a sign, and texts are compared. */
const EARLIEST = Date.parse('0000-01-01T00:00:00Z');
const LATEST = Date.parse('9999-12-31T23:59:59Z');

/** The engine takes February 30 for March 2. */
function isDate(date: string): boolean {
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date);
}
