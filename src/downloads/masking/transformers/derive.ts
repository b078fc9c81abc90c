import { z } from 'zod';
import { DERIVE } from '../../variant-plan.ts';
import type { ColumnFacts, Transformer } from '../transformer.ts';
import { emptyOf } from './fixed.ts';

interface DeriveOptions extends Record<string, unknown> {
  expression: string;
  meanwhile?: string | number | boolean | undefined;
}

/** To the rows themselves it is a constant; what comes after them fills the column (`content/derived-columns.ts`). */
export const derive: Transformer<DeriveOptions> = {
  name: DERIVE,
  description:
    'What the database itself computes of the masked columns of the row, by an expression in its own SQL: a search vector, a lower-cased copy.',
  options: z.strictObject({
    expression: z.string().trim().min(1).max(10_000),
    meanwhile: z.union([z.string(), z.number(), z.boolean()]).optional(),
  }),
  shorthand: 'expression',
  facts: (options, column) => {
    const value = standIn(options, column);
    return {
      accepts: 'all',
      isInjective: false,
      mayGiveNull: value === null,
      maxLength: [...(value ?? '')].length,
      isTraceable: false,
    };
  },
  create: (options, { column }) => {
    const value = standIn(options, column);
    if (value === undefined) throw new RangeError('No value is known to be the empty one of this type.');
    return () => value;
  },
};

/** What stands in the column until it is filled; undefined where it must not be NULL and nothing else is known. */
export function standIn({ meanwhile }: Partial<DeriveOptions>, column: ColumnFacts): string | null | undefined {
  if (meanwhile !== undefined) return String(meanwhile);
  return column.isNullable ? null : emptyOf(column);
}
