import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeMemory } from './freed-memory.ts';
import { expectBack, giveBack } from './given-back.ts';

test('bytes that have their memory for themselves are empty once it is freed, and may be freed again', () => {
  const bytes = new Uint8Array(100_000);
  freeMemory(bytes);
  assert.equal(bytes.length, 0);
  freeMemory(bytes);
});

test('a view of memory that others look at is left alone, given back or not', () => {
  const whole = expectBack(new Uint8Array(100_000).fill(7));
  const view = whole.subarray(1);
  freeMemory(view);
  giveBack(view);
  assert.equal(view.length, 99_999);
  assert.ok(whole.every((byte) => byte === 7) && whole.length === 100_000);
});

test('shared memory is left alone', () => {
  const bytes = new Uint8Array(new SharedArrayBuffer(1000));
  freeMemory(bytes);
  assert.equal(bytes.length, 1000);
});
