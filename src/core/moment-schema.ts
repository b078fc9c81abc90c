import { z } from 'zod';
import { readMoment } from './moment.ts';

/** A text that `readMoment` reads, left as it was written. @param expected what it must be */
export function momentSchema(expected: string) {
  return z
    .string()
    .refine((text) => readMoment(text) !== undefined, expected)
    .meta({ format: 'date-time' });
}
