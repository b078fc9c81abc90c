import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldersAbove } from './restore-target.ts';

test('the folders above roots are those that no backup of them holds', () => {
  assert.deepEqual(foldersAbove(['home/me/data']), ['home/me', 'home']);
  assert.deepEqual(foldersAbove(['srv', 'srv/a/b']), []);
  assert.deepEqual(foldersAbove(['a/b', 'a/b/c/d', 'x/y']), ['a', 'x']);
  assert.deepEqual(foldersAbove(['', 'home/me']), []);
  assert.deepEqual(foldersAbove([]), []);
});
