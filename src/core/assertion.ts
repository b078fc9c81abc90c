import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Assertion } from './drill.ts';
import { HoldfastError } from './errors.ts';
import { plainIssue } from './plain-issue.ts';
import type { DrillFinding } from './ports/service-drill.ts';

/** Assertions that one drill may have. */
const MOST_ASSERTIONS = 200;
const LONGEST_TEXT = 500;

/** What every service's assertions may carry. */
export const assertionFields = {
  /** What it is about, for whoever reads the evidence. */
  name: z.string().min(1).max(200).optional(),
  /** How long it may take. */
  timeoutSeconds: z.int().min(1).max(3600).default(60),
};

/** A value that is expected of what an assertion looks at. */
export const expectationFields = {
  equals: z.json().optional(),
  atLeast: z.number().optional(),
  atMost: z.number().optional(),
};

export interface Expectation {
  equals?: unknown;
  atLeast?: number | undefined;
  atMost?: number | undefined;
}

/**
 * Validates assertions by a service's own schema.
 * @throws HoldfastError `assertions-invalid` (invalid) naming the assertion and the field
 */
export function parseAssertionList(schema: z.ZodType<Assertion>, assertions: readonly unknown[]): readonly Assertion[] {
  if (assertions.length > MOST_ASSERTIONS)
    throw invalid(`There are ${assertions.length} assertions, and a drill looks at ${MOST_ASSERTIONS} at most.`, '');
  return assertions.map((assertion, index) => {
    const parsed = schema.safeParse(assertion);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const field = ['assertions', index, ...(issue?.path ?? [])].join('.');
    throw invalid(`\`${field}\` is not valid: ${plainIssue(issue?.message ?? 'unknown')}. See docs/drills.md.`, field);
  });
}

/** Refuses assertions that expect nothing, which would always hold, and ranges that nothing is in. */
export function expectsSomething({ equals, atLeast, atMost }: Expectation): boolean {
  if (equals !== undefined) return atLeast === undefined && atMost === undefined;
  if (atLeast !== undefined && atMost !== undefined) return atLeast <= atMost;
  return atLeast !== undefined || atMost !== undefined;
}

export const EXPECTS_NOTHING = 'needs either `equals`, or `atLeast` or `atMost` (a range that is not empty)';

/** An expectation in words. */
export function expectationText({ equals, atLeast, atMost }: Expectation): string {
  if (equals !== undefined) return valueText(equals);
  const bounds = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
  ];
  return bounds.join(' and ');
}

/**
 * Compares a value with what is expected of it. Numbers that a database gives as text (its 64-bit ones) are compared as numbers
 * where a number is expected.
 */
export function judgeValue(found: unknown, expectation: Expectation): DrillFinding {
  const { equals } = expectation;
  const value = equals === undefined || typeof equals === 'number' ? numberOf(found) : found;
  return { outcome: meets(value, expectation) ? 'passed' : 'failed', found: valueText(value) };
}

function meets(found: unknown, { equals, atLeast, atMost }: Expectation): boolean {
  if (equals !== undefined) return isDeepStrictEqual(found, equals);
  if (typeof found !== 'number') return false;
  return (atLeast === undefined || found >= atLeast) && (atMost === undefined || found <= atMost);
}

/** @returns a number where the value is one exactly, otherwise the value itself */
function numberOf(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string' || !/^-?\d+(\.\d+)?$/.test(value)) return value;
  return Number(value);
}

/** A value for people to read, not longer than evidence should be. */
export function valueText(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)` : text;
}

function invalid(message: string, field: string): HoldfastError {
  return new HoldfastError('invalid', 'assertions-invalid', message, { details: { field } });
}
