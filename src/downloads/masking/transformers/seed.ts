import { z } from 'zod';
import { Pseudonyms } from '../pseudonym.ts';
import type { RowValues, TransformerContext, TransformerFacts } from '../transformer.ts';

/** For transformers whose value says little by itself (a boolean, a status, a date): another column decides in its place. */
export const BY = z
  .string()
  .min(1)
  .optional()
  .describe(
    'Another column of the row, whose original value decides instead of the value itself: a key of the row, say.',
  );

/** The pseudonym that decides, until the next is asked for: of the column `by`, or of the value where there is none or it is NULL. */
export function seedOf(
  by: string | undefined,
  context: TransformerContext,
): (value: string, row: RowValues) => Uint8Array {
  const pseudonyms = new Pseudonyms(context.key);
  if (by === undefined) return (value) => pseudonyms.of(value);
  const index = context.indexOf(by);
  return (value, row) => pseudonyms.of(row.original(index) ?? value);
}

/** What `facts` says of the columns read. */
export function readsOf(by: string | undefined): Pick<TransformerFacts, 'reads'> {
  return by === undefined ? {} : { reads: { originals: [by] } };
}
