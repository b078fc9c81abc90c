import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSafePath } from './safe-path.ts';

test('paths of plain names are safe, however odd the names', () => {
  for (const each of [
    'a',
    'a/b',
    '...',
    '..a',
    'a..',
    '.hidden/..x',
    ' ',
    'a\nb',
    '\xff',
    '-',
    '~',
    'C:\\x',
    '\\..\\x',
  ])
    assert.equal(isSafePath(each), true, each);
});

test('paths that could lead elsewhere are not safe', () => {
  for (const each of [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    './a',
    '../a',
    'a/..',
    'a/../b',
    'a/./b',
    'a/.',
    '\0',
    'a\0b',
    'a/\0',
  ])
    assert.equal(isSafePath(each), false, JSON.stringify(each));
});

test('whatever is safe stays below the folder that it is put in, and is spelled as it is meant', () => {
  const component = fc.constantFrom('', '.', '..', 'a', '...', '\0', 'b c', '\xff');
  fc.assert(
    fc.property(fc.array(component, { maxLength: 6 }), (components) => {
      const each = components.join('/');
      if (!isSafePath(each)) return;
      assert.equal(path.posix.normalize(`/target/${each}`), `/target/${each}`);
      assert.ok(!each.includes('\0'));
    }),
  );
});
