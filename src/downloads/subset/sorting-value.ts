import type { TypeFamily } from '../content/content-schema.ts';

/** A number that sorts as the value does; the lowest for NULL and for what has no order here. */
export function sortingValue(text: string | null, family: TypeFamily): number {
  if (text === null) return Number.NEGATIVE_INFINITY;
  if (family !== 'date' && family !== 'timestamp') return orLowest(Number(text));
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  // A zone of hours alone (`+02`) is PostgreSQL's; without any, all values are of one zone.
  const [, day, time = '00:00:00', zone = 'Z'] = MOMENT.exec(text) ?? [];
  const zoned = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone;
  return day === undefined ? Number.NEGATIVE_INFINITY : orLowest(Date.parse(`${day}T${time}${zoned}`));
}

const MOMENT = /^(\d{4,6}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d+)?))?([+-]\d\d(?::\d\d)?|Z)?$/;

function orLowest(value: number): number {
  return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
}
