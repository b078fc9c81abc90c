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
  assert.equal(said(z.number().min(0), -1), 'must be at least 0');
  assert.equal(said(z.number().max(65535), 99999), 'must be at most 65535');
  assert.equal(said(z.number().positive(), 0), 'must be more than 0');
  assert.equal(said(z.int(), 1.5), 'expected int, received number');
  assert.equal(said(z.enum(['full', 'incremental']), 'Full'), 'must be one of full, incremental');
});
