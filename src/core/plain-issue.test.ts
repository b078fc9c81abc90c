import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { plainIssue } from './plain-issue.ts';

test('what zod says of a value stands behind its name', () => {
  const said = (schema: z.ZodType, value: unknown) =>
    plainIssue(schema.safeParse(value).error?.issues[0]?.message ?? '');
  assert.equal(said(z.string(), undefined), 'expected string (it is missing)');
  assert.equal(said(z.coerce.number(), 'abc'), 'expected number');
  assert.equal(said(z.number(), 'abc'), 'expected number, received string');
  assert.equal(said(z.number().min(0), -1), 'too small: expected number to be >=0');
});
