import assert from 'node:assert/strict';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import { setAttribute, terminated } from '../src/services/files/system-calls.ts';
import { describeTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';

const OLD = new Date('2001-01-01T00:00:00Z');
const FILE = 'site/pages/index.html';

describe('the folders above a path that is restored', () => {
  let rig: FilesRig;
  let source: string;
  let backup: Backup;
  before(async () => {
    rig = await FilesRig.create();
    source = await rig.newFolder('source');
    mkdirSync(`${source}/site/pages`, { recursive: true });
    writeFileSync(`${source}/${FILE}`, 'hello');
    setAttribute(terminated(`${source}/site`), 'user.kind', Buffer.from('public'));
    for (const [folder, mode] of [
      ['site/pages', 0o2750],
      ['site', 0o711],
      ['', 0o755],
    ] as const) {
      chmodSync(`${source}/${folder}`, mode);
      utimesSync(`${source}/${folder}`, OLD, OLD);
    }
    ({ backup } = await rig.backUp({ paths: [source] }));
  });
  after(() => rig.remove());

  test('are made as they were when they are not there', async () => {
    const expected = describeTree(source);
    const target = `${rig.folder}/elsewhere`;
    const { report } = await rig.restore(backup, { target, paths: [`${source}/${FILE}`] });
    assert.deepEqual(describeTree(`${target}/source`), expected);
    assert.equal(report.directories, 0, 'they were not asked for');
    rmSync(`${source}/site`, { recursive: true });
    await rig.restore(backup, { inPlace: true, paths: [`${source}/${FILE}`] });
    const { '': root, ...inside } = Object.fromEntries(describeTree(source));
    assert.ok(root !== undefined);
    assert.deepEqual(inside, Object.fromEntries([...expected].filter(([path]) => path !== '')));
  });

  test('stay as they are when they are there', async () => {
    const target = `${rig.folder}/prepared`;
    mkdirSync(`${target}/source/site`, { recursive: true });
    chmodSync(`${target}/source/site`, 0o700);
    await rig.restore(backup, { target, conflict: 'skip', paths: [`${source}/${FILE}`] });
    assert.equal(lstatSync(`${target}/source/site`).mode & 0o7777, 0o700);
    assert.equal(lstatSync(`${target}/source/site/pages`).mode & 0o7777, 0o2750);
    assert.equal(readFileSync(`${target}/source/${FILE}`, 'utf8'), 'hello');
  });

  test('are not made by a dry run', async () => {
    const target = `${rig.folder}/dry`;
    mkdirSync(target);
    await rig.restore(backup, { target, dryRun: true, paths: [`${source}/${FILE}`] });
    assert.equal(existsSync(`${target}/source`), false);
  });

  test('are never made by way of a link', async () => {
    const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, modifiedAt: 1n };
    const outside = await rig.newFolder('outside');
    const tree = await rig.commitTree([
      { ...own, path: 'a', type: 'symlink', mode: 0o777, target: outside },
      { ...own, path: 'a/b', type: 'directory', mode: 0o777 },
      { ...own, path: 'a/b/file', type: 'file', mode: 0o666, size: 1, content: { inline: Buffer.from('x') } },
    ]);
    const target = await rig.newFolder('linked');
    await rig.restore(tree, { target, paths: ['a/b/file'] });
    assert.ok(lstatSync(`${target}/a`).isDirectory(), 'the link was not asked for, so it is not there');
    await assert.rejects(rig.restore(tree, { target: `${rig.folder}/linked too`, paths: ['a'] }), {
      code: 'path-escapes-target',
    });
    assert.deepEqual([...describeTree(outside).keys()], ['']);
  });
});
