import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { TreeEntry } from '../src/core/tree-entry.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import { DEFAULT_SIZES } from '../src/services/files/sizes.ts';
import { describeTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';

const OWN = { mode: 0o644, uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, modifiedAt: 1n };

function file(path: string, more: Partial<TreeEntry> = {}): TreeEntry {
  return { ...OWN, path, type: 'file', size: 7, content: { inline: Buffer.from('hostile') }, ...more };
}
function folder(path: string): TreeEntry {
  return { ...OWN, path, type: 'directory', mode: 0o755 };
}
function link(path: string, target: string): TreeEntry {
  return { ...OWN, path, type: 'symlink', target };
}

describe('a restore of a hostile tree writes nothing outside of its target', () => {
  let rig: FilesRig;
  let outside: string;
  let target: string;
  let rounds = 0;
  before(async () => {
    rig = await FilesRig.create();
  });
  after(() => rig.remove());
  beforeEach(async () => {
    const round = await rig.newFolder(`round ${rounds++}`);
    outside = `${round}/outside`;
    target = `${round}/target`;
    mkdirSync(outside);
    mkdirSync(target);
    writeFileSync(`${outside}/victim`, 'untouched');
  });

  async function assertRefused(
    entries: readonly TreeEntry[],
    options: Record<string, unknown> = {},
    more: { commonParent?: string; service?: ReturnType<typeof createFilesService> } = {},
  ): Promise<void> {
    const before = describeTree(outside);
    const beside = readdirSync(rig.folder);
    const tree = await rig.commitTree(entries, more.commonParent);
    const choice = more.service === undefined ? {} : { service: more.service };
    await assert.rejects(rig.restore(tree, { target, conflict: 'overwrite', ...options }, choice), {
      kind: 'denied',
      code: 'path-escapes-target',
    });
    assert.deepEqual(describeTree(outside), before);
    assert.deepEqual(readdirSync(rig.folder), beside);
  }

  for (const path of [
    '..',
    '.',
    '',
    '../outside/victim',
    'a/../../outside/victim',
    'a/..',
    '/etc/holdfast-hostile',
    'a//b',
    'a/',
    'a/./b',
    'a\0b',
  ]) {
    test(`with the path ${JSON.stringify(path)}`, async () => {
      await assertRefused([file(path)]);
      await assertRefused([folder(path)]);
      await assertRefused([link(path, 'anywhere')]);
      await assertRefused([file(path, { hardLinkGroup: 'group' })]);
    });
  }

  test('with a path that is not below what the tree says all is below', async () => {
    await assertRefused([file('elsewhere/file')], {}, { commonParent: 'srv/data' });
    await assertRefused([file('srv/data')], {}, { commonParent: 'srv/data' });
    await assertRefused([file('srv/data/../../x')], {}, { commonParent: 'srv/data' });
  });

  test('with a link and a file below it', async () => {
    await assertRefused([link('a', outside), file('a/victim')]);
    await assertRefused([link('a', '../outside'), folder('a/new')]);
    await assertRefused([link('a', outside), link('a/link', 'x')]);
    assert.ok(lstatSync(`${target}/a`).isSymbolicLink());
  });

  test('with a link and names of one file below it', async () => {
    await assertRefused([
      link('a', outside),
      file('a/victim', { hardLinkGroup: 'group' }),
      file('b', { hardLinkGroup: 'group' }),
    ]);
    await assertRefused([
      file('a', { hardLinkGroup: 'group' }),
      link('b', outside),
      file('b/victim', { hardLinkGroup: 'group' }),
    ]);
  });

  test('with a link and a large file below it', async () => {
    const service = createFilesService({ ...DEFAULT_SIZES, small: 4 });
    await assertRefused([link('a', outside), file('a/victim')], {}, { service });
  });

  test('where the target has a link to elsewhere', async () => {
    symlinkSync(outside, `${target}/a`);
    await assertRefused([folder('a'), file('a/victim')]);
    await assertRefused([file('a/victim')]);
    await assertRefused([file('a/deep/er')]);
    await assertRefused([file('a/victim', { modifiedAt: 4_000_000_000_000_000_000n })], { conflict: 'newer' });
  });

  test('where the target has a link in the place of a file: the link is replaced', async () => {
    symlinkSync(`${outside}/victim`, `${target}/file`);
    await rig.restore(await rig.commitTree([file('file')]), { target, conflict: 'overwrite' });
    assert.equal(readFileSync(`${outside}/victim`, 'utf8'), 'untouched');
    assert.ok(lstatSync(`${target}/file`).isFile());
  });

  test('with a content that is longer or shorter than its entry says', async () => {
    for (const size of [3, 8, 2_000_000])
      await assert.rejects(
        rig.restore(await rig.commitTree([file('file', { size, content: { segments: [{ id: null, length: 7 }] } })]), {
          target,
        }),
        { kind: 'damaged', code: 'content-length-differs', message: /^\/file cannot be restored/ },
      );
    assert.deepEqual(readdirSync(target), []);
  });
});
