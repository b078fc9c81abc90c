import { z } from 'zod';
import {
  assertionFields,
  EXPECTS_NOTHING,
  expectationFields,
  expectsSomething,
  parseAssertionList,
} from '../../core/assertion.ts';
import type { Assertion } from '../../core/drill.ts';

const schema = z
  .strictObject({
    ...assertionFields,
    /** A query that gives one row of one column. */
    sql: z.string().min(1).max(20_000),
    ...expectationFields,
  })
  .refine(expectsSomething, EXPECTS_NOTHING);

export type SqliteAssertion = z.infer<typeof schema>;

/** @throws HoldfastError `assertions-invalid` (invalid) naming the field */
export function parseSqliteAssertions(assertions: readonly unknown[]): readonly Assertion[] {
  return parseAssertionList(schema, assertions);
}
