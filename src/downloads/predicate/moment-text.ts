import { dayNumber } from '../masking/civil-date.ts';

/** A date, or a date and time, on the time line of UTC: whole seconds since 1970, and the fraction. */
export interface Moment {
  seconds: number;
  /** Digits after the point, without zeros at the end. */
  fraction: string;
}

/**
 * Reads what databases print: `2026-01-31`, `2026-01-31 10:00:00.25`, with an offset (`+02`, `+05:30`, `Z`) or without (taken as UTC), a `T` between, ` BC` behind,
 * `infinity`, and years of more than four digits. Undefined for any other text.
 */
export function momentOf(text: string): Moment | undefined {
  const match = MOMENT.exec(text);
  if (match === null) return SPECIAL.get(text.trim().toLowerCase());
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', offset, era] = match;
  const years = era === undefined ? Number(year) : 1 - Number(year);
  const days = dayNumber({ year: years, month: Number(month), day: Number(day) });
  const time = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  return { seconds: days * 86_400 + time - secondsOf(offset), fraction: withoutZeros(fraction) };
}

/** As `momentOf`, but the day alone: what remains of a moment in a column of dates. */
export function dayOf(text: string): Moment | undefined {
  const match = MOMENT.exec(text);
  if (match === null) return SPECIAL.get(text.trim().toLowerCase());
  const years = match[9] === undefined ? Number(match[1]) : 1 - Number(match[1]);
  return { seconds: dayNumber({ year: years, month: Number(match[2]), day: Number(match[3]) }) * 86_400, fraction: '' };
}

/** Reads `10:00`, `23:59:59.5`, and durations as MySQL has them (`-838:59:59`). Undefined for any other text, such as times with an offset. */
export function timeOfDay(text: string): Moment | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, minus, hour, minute, second = '0', fraction = ''] = match;
  const digits = withoutZeros(fraction);
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  if (minus === '') return { seconds, fraction: digits };
  // -1.25 seconds are -2 seconds and 0.75.
  return digits === '' ? { seconds: -seconds, fraction: '' } : { seconds: -seconds - 1, fraction: complement(digits) };
}

/** True for a day that the calendar has. */
export function isRealDay(text: string): boolean {
  const match = MOMENT.exec(text);
  if (match === null) return SPECIAL.has(text.trim().toLowerCase());
  const [, year, month, day, hour = '0', minute = '0', second = '0'] = match.map(Number);
  if (year === undefined || month === undefined || day === undefined) return false;
  if (month < 1 || month > 12 || day < 1 || year < 1) return false;
  const days = month === 12 ? 31 : dayNumber({ year, month: month + 1, day: 1 }) - dayNumber({ year, month, day: 1 });
  const isTime = !(Number(hour) > 24 || Number(minute) > 59 || Number(second) > 60);
  return day <= days && isTime;
}

export function compareMoments(left: Moment, right: Moment): number {
  if (left.seconds !== right.seconds) return left.seconds < right.seconds ? -1 : 1;
  if (left.fraction === right.fraction) return 0;
  return left.fraction < right.fraction ? -1 : 1;
}

function secondsOf(offset: string | undefined): number {
  if (offset === undefined || offset === 'Z' || offset === 'z') return 0;
  const [hours, minutes = '0', seconds = '0'] = offset.slice(1).split(':');
  const amount = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return offset[0] === '-' ? -amount : amount;
}

function withoutZeros(fraction: string): string {
  return fraction.endsWith('0') ? fraction.replace(/0+$/, '') : fraction;
}

function complement(digits: string): string {
  const scale = 10n ** BigInt(digits.length);
  return withoutZeros((scale - BigInt(digits)).toString().padStart(digits.length, '0'));
}

const MOMENT =
  /^\s*(\d{1,7})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?(?: ?([Zz]|[+-]\d\d(?::\d\d){0,2}))?)?( BC)?\s*$/;
const TIME = /^\s*(-?)(\d{1,3}):(\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?\s*$/;
const SPECIAL: ReadonlyMap<string, Moment> = new Map([
  ['infinity', { seconds: Number.POSITIVE_INFINITY, fraction: '' }],
  ['-infinity', { seconds: Number.NEGATIVE_INFINITY, fraction: '' }],
]);
