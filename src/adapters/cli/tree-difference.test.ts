import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { comparePaths, type TreeEntry } from '../../core/tree-entry.ts';
import { treeDifference } from './tree-difference.ts';

function entry(path: string, more: Partial<TreeEntry> = {}): TreeEntry {
  return { path, type: 'file', mode: 0o644, uid: 0, gid: 0, modifiedAt: 1n, ...more };
}

async function* stream(entries: readonly TreeEntry[]): AsyncIterable<TreeEntry> {
  yield* [...entries].sort((left, right) => comparePaths(left.path, right.path));
}

async function difference(before: readonly TreeEntry[], after: readonly TreeEntry[]) {
  const changes = await Array.fromAsync(treeDifference(stream(before), stream(after)));
  return changes.map(({ kind, path, aspects }) => [kind, path, ...aspects].join(' '));
}

test('added, removed and changed entries are told with what differs', async () => {
  const before = [
    entry('a', { content: { inline: Buffer.from('1') }, size: 1 }),
    entry('b'),
    entry('c', { content: { segments: [{ id: Buffer.from('01', 'hex'), length: 9 }] }, size: 9 }),
  ];
  const after = [
    entry('a', { content: { inline: Buffer.from('2') }, size: 1, mode: 0o600 }),
    entry('c', { content: { segments: [{ id: Buffer.from('02', 'hex'), length: 9 }] }, size: 9 }),
    entry('d', { type: 'symlink', target: 'a' }),
  ];
  assert.deepEqual(await difference(before, after), [
    'changed a content permissions',
    'removed b',
    'changed c content',
    'added d',
  ]);
});

test('any two sets of paths give exactly what is in one and not in the other, in order', async () => {
  const paths = fc.uniqueArray(fc.stringMatching(/^[ab.](\/[ab-]{1,2}){0,2}$/));
  await fc.assert(
    fc.asyncProperty(paths, paths, async (before, after) => {
      const expected = [
        ...before.filter((path) => !after.includes(path)).map((path) => ({ path, text: `removed ${path}` })),
        ...after.filter((path) => !before.includes(path)).map((path) => ({ path, text: `added ${path}` })),
      ].sort((left, right) => comparePaths(left.path, right.path));
      const found = await difference(
        before.map((path) => entry(path)),
        after.map((path) => entry(path)),
      );
      assert.deepEqual(
        found,
        expected.map(({ text }) => text),
      );
    }),
    { numRuns: 50 },
  );
});
