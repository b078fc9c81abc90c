import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fitsName, fitsPath } from './name-pattern.ts';

test('a star stands for any characters of a name', () => {
  const slow = (pattern: string) =>
    new RegExp(
      `^${pattern
        .split('*')
        .map((piece) => piece.replace(/[.$]/g, '\\$&'))
        .join('.*')}$`,
      's',
    );
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
  fc.assert(
    fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 }), (pattern, name) => {
      assert.equal(fitsName(pattern, name), slow(pattern).test(name));
    }),
    { numRuns: 2000 },
  );
});

test('a star stays within a step of a path, and two take any number of steps', () => {
  for (const [pattern, path, fits] of [
    ['a/*.csv', 'a/b.csv', true],
    ['a/*.csv', 'a/b/c.csv', false],
    ['**/*.csv', 'c.csv', true],
    ['**/*.csv', 'a/b/c.csv', true],
    ['a/**', 'a/b/c', true],
    ['a/**/z', 'a/z', true],
    ['a/**/y/**/z', 'a/b/y/y/c/z', true],
    ['a/**/y/**/z', 'a/b/x/c/z', false],
    ['*', 'a/b', false],
    ['a', 'a', true],
  ] as const)
    assert.equal(fitsPath(pattern, path), fits, `${pattern} ${path}`);
});

test('no pattern makes the comparison slow', () => {
  const started = process.cpuUsage().user;
  fitsName(`${'a*'.repeat(2000)}b`, 'a'.repeat(4000));
  fitsPath(`${'**/a*/'.repeat(500)}b`, 'a/'.repeat(2000));
  assert.ok(process.cpuUsage().user - started < 2_000_000);
});
