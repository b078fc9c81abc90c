import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocatePageAligned, isPageAligned, PAGE } from './page-aligned-memory.ts';

test('memory is as long as asked for, and known to be aligned at its pages only', () => {
  const bytes = allocatePageAligned(100_000);
  assert.equal(bytes.length, 100_000);
  assert.ok(isPageAligned(bytes));
  assert.ok(isPageAligned(bytes.subarray(PAGE, PAGE + 10)));
  assert.ok(!isPageAligned(bytes.subarray(1)));
  assert.ok(!isPageAligned(Buffer.alloc(PAGE)));
});
