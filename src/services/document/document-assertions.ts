import { type JsonValue, query } from 'jsonpath-rfc9535';
import parsePath from 'jsonpath-rfc9535/parser';
import { z } from 'zod';
import {
  assertionFields,
  EXPECTS_NOTHING,
  expectationFields,
  expectationText,
  expectsSomething,
  judgeValue,
  parseAssertionList,
  valueText,
} from '../../core/assertion.ts';
import type { Assertion } from '../../core/drill.ts';
import type { DrillFinding } from '../../core/ports/service-drill.ts';

const schema = z
  .strictObject({
    ...assertionFields,
    /** A query by RFC 9535. `equals`, `atLeast` and `atMost` are about the one value that it finds. */
    jsonPath: z.string().max(2000).refine(isPath, 'must be a JSONPath by RFC 9535 such as `$.users[0].name`'),
    ...expectationFields,
    /** How many values the path finds. */
    count: z.strictObject({ atLeast: z.int().min(0).optional(), atMost: z.int().min(0).optional() }).optional(),
  })
  .refine(
    ({ count, equals, atLeast, atMost }) =>
      count === undefined
        ? expectsSomething({ equals, atLeast, atMost })
        : expectsSomething(count) && equals === undefined && atLeast === undefined && atMost === undefined,
    `${EXPECTS_NOTHING}, or \`count\` with such bounds alone`,
  );

export type DocumentAssertion = z.infer<typeof schema>;

/** @throws HoldfastError `assertions-invalid` (invalid) naming the field */
export function parseDocumentAssertions(assertions: readonly unknown[]): readonly Assertion[] {
  return parseAssertionList(schema, assertions);
}

/** What an assertion expects, in words. */
export function expected(assertion: DocumentAssertion): string {
  return assertion.count === undefined ? expectationText(assertion) : `${expectationText(assertion.count)} values`;
}

/** Looks at a document. A hostile path can take long (regular expressions), so this runs in a thread that can be ended. */
export function judgeDocument(document: JsonValue, assertion: DocumentAssertion): DrillFinding {
  const found = query(document, assertion.jsonPath);
  if (assertion.count !== undefined) {
    const { outcome } = judgeValue(found.length, assertion.count);
    return { outcome, found: counted(found.length) };
  }
  const [value, ...others] = found;
  if (value === undefined) return { outcome: 'failed', found: 'no value' };
  if (others.length > 0)
    return { outcome: 'failed', found: `${counted(found.length)}, the first one ${valueText(value)}` };
  return judgeValue(value, assertion);
}

function counted(values: number): string {
  return values === 1 ? '1 value' : `${values} values`;
}

function isPath(text: string): boolean {
  try {
    parsePath(text);
    return true;
  } catch {
    return false;
  }
}
