import assert from 'node:assert/strict';
import test from 'node:test';
import { type ErrorKind, HoldfastError } from '../../core/errors.ts';
import { exitCodeOf, usageError } from './exit-codes.ts';

test('kinds of failure have the exit codes that scripts for restic expect', () => {
  const code = (kind: ErrorKind) => exitCodeOf(new HoldfastError(kind, 'some-code', 'Something happened.'));
  assert.equal(code('no-repository'), 10);
  assert.equal(code('locked'), 11);
  assert.equal(code('wrong-key'), 12);
  assert.equal(code('cancelled'), 130);
  assert.equal(code('damaged'), 4);
  assert.equal(code('not-found'), 1);
  assert.equal(code('invalid'), 1);
});

test('wrong usage is 2, what nobody foresaw is 1', () => {
  assert.equal(exitCodeOf(usageError('target-missing', 'Say where.')), 2);
  assert.equal(exitCodeOf(new TypeError('x is not a function')), 1);
});
