import { z } from 'zod';
import { BACKUP_TYPES } from '../../../core/backup.ts';
import { momentSchema } from '../../../core/moment-schema.ts';

/** Characters. */
const LONGEST_ID = 200;

/** Ids of all things: nothing that a path, a log or a terminal would take for something else. */
export const id = z
  .string()
  .regex(
    new RegExp(`^[A-Za-z0-9._:@-]{1,${LONGEST_ID}}$`),
    `must be 1 to ${LONGEST_ID} characters of letters, digits and . _ : @ -`,
  );

/** What backups can be listed by: a resource, or its log. */
export const resourceOrLogId = z
  .string()
  .regex(new RegExp(`^[A-Za-z0-9._:@-]{1,${LONGEST_ID}}(~log)?$`), 'must be the id of a resource, or that and ~log');

export const idPath = z.strictObject({ id });

/** A line of text for people: no control characters. */
export function line(longest: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[^\p{Cc}]*$/u, 'must not hold control characters');
}

const TIMESTAMP_EXPECTED = 'must be a time by RFC 3339 such as 2025-01-01T12:30:00Z';

/** A moment to restore, as it was written: without a fraction it names its whole second, which the core sees to. */
export const moment = momentSchema(TIMESTAMP_EXPECTED);

/** RFC 3339; the catalogue compares in UTC with milliseconds. */
export const timestamp = moment.transform((text) => new Date(text).toISOString());

/** A timestamp in a query: `+` of an offset arrives as a space where it was not escaped. */
export const queryTimestamp = z.preprocess(
  (value) => (typeof value === 'string' ? value.replace(' ', '+') : value),
  timestamp,
) as z.ZodType<string, string>;

/** The service knows what they may say. */
export const assertions = z.array(z.record(z.string(), z.unknown())).max(200);

export const backupType = z.enum(BACKUP_TYPES);

export const operationStatus = z.enum(['queued', 'running', 'completed', 'failed', 'cancelled']);

export const queryFlag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((text) => text === 'true');

export const timeZone = line(100).refine(isTimeZone, 'must be a time zone by IANA such as Europe/Berlin');

export const tags = z
  .record(line(128), z.string().max(1024))
  .refine((value) => Object.keys(value).length <= 64, 'must be at most 64 tags');

export const retentionDays = z.number().int().min(1).max(36_500);

/** The labels of a backup, any part of them. */
export const partialMetadata = z
  .strictObject({
    version: z.string().max(200),
    source: z.string().max(200),
    tags,
    retentionDays: retentionDays.describe('Days until the backup expires; without it, it never expires by age.'),
  })
  .partial();

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
