/** A date or timestamp as databases write it. */
export interface CivilDate {
  /** Astronomical: 0 is 1 BC. */
  year: number;
  /** 0 where MySQL leaves it open. */
  month: number;
  day: number;
  time?: CivilTime;
}

export interface CivilTime {
  separator: string;
  hour: number;
  minute: number;
  /** Undefined where it was left out. */
  second?: number;
  /** As it was written, without the point; empty where there is none. */
  fraction: string;
  /** As it was written: `+02`, `Z`, empty. */
  zone: string;
}

const LONGEST = 48;
const PATTERN =
  /^(\d{4,7})-(\d{2})-(\d{2})(?:([ T])(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2}(?::\d{2})?)?)?)?( BC)?$/;

/** Undefined for what is no date of the Gregorian calendar; `0000-00-00` and `2026-00-00` of MySQL are dates. */
export function parseCivilDate(text: string): CivilDate | undefined {
  if (text.length === 10 && text.charCodeAt(4) === HYPHEN && text.charCodeAt(7) === HYPHEN) return plainDate(text);
  const found = text.length > LONGEST ? null : PATTERN.exec(text);
  if (found === null) return undefined;
  const [, years, months, days, separator, hours, minutes, seconds, fraction = '', zone = '', era] = found;
  const year = era === undefined ? Number(years) : 1 - Number(years);
  const [month, day] = [Number(months), Number(days)];
  if (!isDay(year, month, day)) return undefined;
  if (separator === undefined) return { year, month, day };
  const [hour, minute, second] = [Number(hours), Number(minutes), seconds === undefined ? undefined : Number(seconds)];
  if (hour > 24 || minute > 59 || (second ?? 0) > 60) return undefined;
  return {
    year,
    month,
    day,
    time: { separator, hour, minute, ...(second === undefined ? {} : { second }), fraction, zone },
  };
}

/** Whether a text is a day of the years 1 to 9999, none of it left open: `2026-01-31`. */
export function isOrdinaryDay(text: string): boolean {
  if (text.length !== 10 || text.charCodeAt(4) !== HYPHEN || text.charCodeAt(7) !== HYPHEN) return false;
  const [year, month, day] = [100 * twoDigits(text, 0) + twoDigits(text, 2), twoDigits(text, 5), twoDigits(text, 8)];
  return year > 0 && month > 0 && day > 0 && isDay(year, month, day);
}

/** Of most columns: `2026-01-31`. */
function plainDate(text: string): CivilDate | undefined {
  const [year, month, day] = [100 * twoDigits(text, 0) + twoDigits(text, 2), twoDigits(text, 5), twoDigits(text, 8)];
  return isDay(year, month, day) ? { year, month, day } : undefined;
}

/** NaN for what is none. */
function twoDigits(text: string, at: number): number {
  const [ten, one] = [text.charCodeAt(at) - ZERO, text.charCodeAt(at + 1) - ZERO];
  return ten >= 0 && ten <= 9 && one >= 0 && one <= 9 ? 10 * ten + one : Number.NaN;
}

function isDay(year: number, month: number, day: number): boolean {
  return !Number.isNaN(year) && month <= 12 && day <= (month === 0 ? 31 : daysOf(year, month));
}

const HYPHEN = 0x2d;
const ZERO = 0x30;

/** The same notation as `parseCivilDate` reads. */
export function formatCivilDate({ year, month, day, time }: CivilDate): string {
  const isBeforeChrist = year <= 0 && month !== 0;
  const date = `${padded(isBeforeChrist ? 1 - year : year, 4)}-${padded(month, 2)}-${padded(day, 2)}`;
  return date + (time === undefined ? '' : timeText(time)) + (isBeforeChrist ? ' BC' : '');
}

function timeText({ separator, hour, minute, second, fraction, zone }: CivilTime): string {
  const seconds = second === undefined ? '' : `:${padded(second, 2)}${fraction === '' ? '' : `.${fraction}`}`;
  return `${separator}${padded(hour, 2)}:${padded(minute, 2)}${seconds}${zone}`;
}

/** Days since 1970-01-01 in the Gregorian calendar, whatever the year (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil). */
export function dayNumber({ year, month, day }: CivilDate): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The date of a day number (civil_from_days of the same source). */
export function dateOfDay(days: number): { year: number; month: number; day: number } {
  const sinceEra = days + 719_468;
  const era = Math.floor(sinceEra / 146_097);
  const dayOfEra = sinceEra - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1 };
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function padded(value: number, width: number): string {
  const text = String(value);
  return text.length >= width ? text : text.padStart(width, '0');
}
