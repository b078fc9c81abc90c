import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { TreeEntry } from '../../core/tree-entry.ts';
import { paddingAfter, TAR_END, tarHeader } from './tar-header.ts';

const ENTRY: TreeEntry = { path: 'x', type: 'file', mode: 0o644, uid: 1, gid: 2, modifiedAt: 0n, size: 0 };

/** As GNU tar lists an archive that holds one entry's headers (and says what it misses after them). */
function listed(entry: Partial<TreeEntry>, name = 'file'): string {
  const archive = Buffer.concat([tarHeader({ entry: { ...ENTRY, ...entry }, name }), TAR_END]);
  const args = ['-tv', '--full-time', '--numeric-owner', '--utc', '--quoting-style=escape', '-f', '-'];
  return spawnSync('tar', args, {
    input: archive,
    encoding: 'latin1',
    env: { ...process.env, LC_ALL: 'C' },
  }).stdout.trim();
}

test('what a plain header holds takes one block', () => {
  assert.equal(tarHeader({ entry: ENTRY, name: 'a/b' }).length, 512);
  assert.match(
    listed({ user: 'root', modifiedAt: 1_600_000_000_000_000_000n }, 'a/b'),
    /1\/2 +0 2020-09-13 12:26:40 a\/b$/,
  );
});

test('numbers, times and names that a plain header cannot hold are read by GNU tar', () => {
  assert.match(listed({ size: 20 * 2 ** 30 }), / 21474836480 /);
  assert.match(listed({ uid: 4_000_000_000, gid: 3_000_000 }), / 4000000000\/3000000 /);
  assert.match(listed({ modifiedAt: 99_999_999_999_500_000_000n }), / 5138-11-16 09:46:39\.5/);
  for (let length = 80; length < 130; length++)
    assert.ok(listed({}, 'n'.repeat(length)).endsWith(`:00 ${'n'.repeat(length)}`));
  for (const length of [950, 985, 986, 987, 988, 989, 990, 991, 999, 1000, 1100])
    assert.ok(listed({}, `d/${'n'.repeat(length)}`).endsWith(`d/${'n'.repeat(length)}`), `${length}`);
});

test('padding ends a block', () => {
  assert.deepEqual(
    [0, 1, 511, 512, 513].map((size) => paddingAfter(size).length),
    [0, 511, 1, 0, 511],
  );
});
