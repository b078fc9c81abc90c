import { z } from 'zod';
import type { TypeFamily } from '../../content/content-schema.ts';
import {
  type CivilDate,
  type CivilTime,
  dateOfDay,
  dayNumber,
  formatCivilDate,
  isOrdinaryDay,
  parseCivilDate,
} from '../civil-date.ts';
import { Draws } from '../draws.ts';
import type { Transformer, TransformerContext, ValueFunction } from '../transformer.ts';
import { DATES } from './families.ts';
import { readsOf, seedOf } from './seed.ts';

const UNITS = ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute'] as const;
type Unit = (typeof UNITS)[number];

const TIMES: readonly TypeFamily[] = DATES.filter((family) => family !== 'date');

const DAYS = z.int().min(1).max(36_500);

interface DateOptions extends Record<string, unknown> {
  truncate?: Unit | undefined;
  shift?: { by: string; days: number } | undefined;
  noise?: { days?: number | undefined; seconds?: number | undefined } | undefined;
}

export const date: Transformer<DateOptions> = {
  name: 'date',
  description:
    '`truncate: year` (quarter, month, week, day, hour, minute): the beginning of it; `shift: { by: column, days: n }`: up to n days earlier or later, the same for all rows of which the column is the same, so that intervals stay what they are; `noise: { days: n }` or `{ seconds: n }`: another shift for each value.',
  options: z
    .strictObject({
      truncate: z.enum(UNITS).optional(),
      shift: z.strictObject({ by: z.string().min(1), days: DAYS.default(180) }).optional(),
      noise: z
        .strictObject({ days: DAYS.optional(), seconds: z.int().min(1).max(86_400).optional() })
        .refine(({ days, seconds }) => (days === undefined) !== (seconds === undefined), {
          message: 'wants one of days and seconds',
        })
        .optional(),
    })
    .refine(
      (options) => [options.truncate, options.shift, options.noise].filter((given) => given !== undefined).length === 1,
      {
        message: 'wants one of truncate, shift and noise',
      },
    ),
  shorthand: 'truncate',
  facts: ({ truncate, shift, noise }) => ({
    // A day alone has no hours that could change.
    accepts: isOfTimes(truncate) || noise?.seconds !== undefined ? TIMES : DATES,
    isInjective: false,
    mayGiveNull: false,
    isTraceable: false,
    ...readsOf(shift?.by),
  }),
  create: ({ truncate, shift, noise }, context) => {
    if (truncate !== undefined) return truncating(truncate);
    if (shift !== undefined) return shifted(shift.days, shift.by, context);
    if (noise?.days !== undefined) return shifted(noise.days, undefined, context);
    return delayed(noise?.seconds ?? 1, context);
  },
};

/** What says nothing and cannot be moved: no date, or one beyond all dates. */
const BOUNDLESS = /^(?:-?infinity|0000-00-00(?:[ T]00:00:00(?:\.0{1,9})?)?|)$/;

/** @throws RangeError for what is no date: it is not passed on */
function understood(
  change: (value: CivilDate, text: string, row: Parameters<ValueFunction>[1]) => CivilDate,
): ValueFunction {
  return (text, row) => {
    if (text.length <= 32 && BOUNDLESS.test(text)) return text;
    const value = parseCivilDate(text);
    if (value === undefined) throw new RangeError('A date was expected.');
    return formatCivilDate(change(value, text, row));
  };
}

function truncating(unit: Unit): ValueFunction {
  const change = understood((value) => {
    if (isOfTimes(unit)) timeOf(value);
    return truncated(value, unit);
  });
  if (unit !== 'year' && unit !== 'month') return change;
  const [kept, rest] = unit === 'year' ? [4, '-01-01'] : [7, '-01'];
  // Of days as most columns have them, the beginning stays as it is written.
  return (text, row) => (isOrdinaryDay(text) ? text.slice(0, kept) + rest : change(text, row));
}

function truncated({ year, month, day, time }: CivilDate, unit: Unit): CivilDate {
  const rest = time === undefined ? {} : { time: truncatedTime(time, unit) };
  if (unit === 'year') return { year, month: 1, day: 1, ...rest };
  if (unit === 'quarter') return { year, month: month === 0 ? 1 : month - ((month - 1) % 3), day: 1, ...rest };
  if (unit === 'month') return { year, month: Math.max(1, month), day: 1, ...rest };
  if (unit !== 'week') return { year, month, day, ...rest };
  const days = dayNumber(whole({ year, month, day }));
  // 1970-01-01 was a Thursday; weeks begin on Mondays (ISO 8601).
  return { ...dateOfDay(days - ((((days + 3) % 7) + 7) % 7)), ...rest };
}

function truncatedTime(time: CivilTime, unit: Unit): CivilTime {
  const seconds = time.second === undefined ? {} : { second: 0 };
  return {
    ...time,
    ...seconds,
    fraction: '0'.repeat(time.fraction.length),
    minute: unit === 'minute' ? time.minute : 0,
    hour: unit === 'minute' || unit === 'hour' ? time.hour : 0,
  };
}

function shifted(days: number, by: string | undefined, context: TransformerContext): ValueFunction {
  const seed = seedOf(by, context);
  return understood((value, text, row) => {
    const draws = new Draws(seed(text, row));
    const change = (1 + draws.below(days)) * (draws.next() % 2 === 0 ? 1 : -1);
    return moved(value, change);
  });
}

function delayed(seconds: number, context: TransformerContext): ValueFunction {
  const seed = seedOf(undefined, context);
  return understood((value, text, row) => {
    const time = timeOf(value);
    const draws = new Draws(seed(text, row));
    const change = (1 + draws.below(seconds)) * (draws.next() % 2 === 0 ? 1 : -1);
    const total = time.hour * 3600 + time.minute * 60 + (time.second ?? 0) + change;
    const days = Math.floor(total / 86_400);
    const rest = total - days * 86_400;
    const clock = { hour: Math.floor(rest / 3600), minute: Math.floor((rest % 3600) / 60) };
    const moment = days === 0 ? value : moved(value, days);
    return { ...moment, time: { ...time, ...clock, ...(time.second === undefined ? {} : { second: rest % 60 }) } };
  });
}

/** Whether truncating to it leaves days as they are. */
function isOfTimes(unit: Unit | undefined): boolean {
  return unit === 'day' || unit === 'hour' || unit === 'minute';
}

function timeOf({ time }: CivilDate): CivilTime {
  if (time === undefined) throw new RangeError('A time was expected.');
  return time;
}

/** The other way where it would leave the years that every database has, 1 to 9999, and began within them. */
function moved(value: CivilDate, days: number): CivilDate {
  const from = dayNumber(whole(value));
  const there = dateOfDay(from + days);
  const isOrdinary = value.year >= 1 && value.year <= 9999;
  const leaves = isOrdinary && (there.year < 1 || there.year > 9999);
  return { ...value, ...(leaves ? dateOfDay(from - days) : there) };
}

function whole(value: CivilDate): CivilDate {
  if (value.month === 0 || value.day === 0) throw new RangeError('A date with a month and a day was expected.');
  return value;
}
