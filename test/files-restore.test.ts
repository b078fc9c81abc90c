import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import { assertSameTree, describeTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';

const OLD = new Date('2001-01-01T00:00:00Z');
const MIDDLE = new Date('2011-01-01T00:00:00Z');
const NEW = new Date('2021-01-01T00:00:00Z');

describe('a restore of files', () => {
  let rig: FilesRig;
  let source: string;
  let backup: Backup;
  before(async () => {
    rig = await FilesRig.create();
    source = await rig.newFolder('source');
    mkdirSync(`${source}/folder/deeper`, { recursive: true });
    mkdirSync(`${source}/folder-beside`);
    for (const name of ['one', 'two', 'folder/three', 'folder/deeper/four', 'folder-beside/five']) {
      writeFileSync(`${source}/${name}`, `backed up ${name}`);
      utimesSync(`${source}/${name}`, MIDDLE, MIDDLE);
    }
    writeFileSync(`${source}/large`, Buffer.alloc(1_500_000, 'large'));
    utimesSync(`${source}/large`, MIDDLE, MIDDLE);
    symlinkSync('one', `${source}/link`);
    linkSync(`${source}/two`, `${source}/folder/two again`);
    ({ backup } = await rig.backUp({ paths: [source] }));
  });
  after(() => rig.remove());

  let targets = 0;
  function newTarget(): string {
    return `${rig.folder}/target ${targets++}`;
  }

  describe('by path', () => {
    for (const [what, paths, expected] of [
      ['a file', ['one'], ['one']],
      ['a large file', ['large'], ['large']],
      ['a file in a folder', ['folder/deeper/four'], ['folder', 'folder/deeper', 'folder/deeper/four']],
      [
        'a folder and not the one whose name begins alike',
        ['folder'],
        ['folder', 'folder/deeper', 'folder/deeper/four', 'folder/three', 'folder/two again'],
      ],
      ['several', ['two', 'folder-beside/five', 'link'], ['folder-beside', 'folder-beside/five', 'link', 'two']],
      ['one inside of another', ['folder-beside', 'folder-beside/five'], ['folder-beside', 'folder-beside/five']],
    ] as const) {
      test(`gives ${what} and nothing else`, async () => {
        for (const spelled of [
          paths.map((path) => `${source}/${path}`),
          paths.map((path) => `${source}/${path}/`.slice(1)),
        ]) {
          const target = newTarget();
          await rig.restore(backup, { target, paths: spelled });
          const restored = [...describeTree(`${target}/source`).keys()].filter((path) => path !== '').sort();
          assert.deepEqual(restored, [...expected].sort());
          for (const path of restored.filter((each) => lstatSync(`${target}/source/${each}`).isFile()))
            assert.ok(readFileSync(`${target}/source/${path}`).equals(readFileSync(`${source}/${path}`)), path);
        }
      });
    }

    test('refuses paths that are not in the backup, names them and writes nothing', async () => {
      const target = newTarget();
      const paths = [`${source}/one`, `${source}/nothing`, `${source}/on`, `${source}/one/below`];
      await assert.rejects(rig.restore(backup, { target, paths }), (error: Error & { details: unknown }) => {
        assert.deepEqual(
          { ...error, message: '' },
          { ...error, message: '', kind: 'not-found', code: 'path-not-in-backup' },
        );
        assert.deepEqual(error.details, { paths: paths.slice(1) });
        for (const path of paths.slice(1)) assert.ok(error.message.includes(path));
        return true;
      });
      assert.equal(existsSync(target), false);
    });
  });

  test('refuses a target that is a file, below a file or not empty', async () => {
    await assert.rejects(rig.restore(backup, { target: `${source}/one` }), { code: 'target-not-a-folder' });
    await assert.rejects(rig.restore(backup, { target: `${source}/one/below` }), { code: 'target-not-a-folder' });
    const dangling = newTarget();
    symlinkSync('nowhere', dangling);
    await assert.rejects(rig.restore(backup, { target: dangling }), { code: 'target-not-a-folder' });
    const target = newTarget();
    mkdirSync(target);
    writeFileSync(`${target}/file`, 'there');
    await assert.rejects(rig.restore(backup, { target }), { code: 'target-not-empty', message: /--conflict/ });
    assert.deepEqual(readdirSync(target), ['file']);
  });

  test('needs to be told where to, and no more than that', async () => {
    for (const options of [{}, { target: '/tmp/x', inPlace: true }])
      await assert.rejects(rig.restore(backup, options), { code: 'restore-target-missing' });
    for (const options of [{ target: 'relative' }, { target: '/x', conflict: 'no' }, { target: '/x', unknown: 1 }])
      await assert.rejects(rig.restore(backup, options), { code: 'options-invalid' });
  });

  /** A folder with things in the way of the backup. */
  function occupied(): string {
    const target = newTarget();
    mkdirSync(`${target}/source/folder`, { recursive: true });
    for (const [name, time] of [
      ['one', NEW],
      ['two', OLD],
      ['folder/three', MIDDLE],
      ['large', OLD],
      ['unrelated', OLD],
    ] as const) {
      writeFileSync(`${target}/source/${name}`, `there before: ${name}`);
      utimesSync(`${target}/source/${name}`, time, time);
    }
    symlinkSync('/etc/passwd', `${target}/source/link`);
    return target;
  }

  function contentsOf(target: string): Record<string, string> {
    return Object.fromEntries(
      [...describeTree(`${target}/source`)].flatMap(([path, { size, target: link }]) =>
        size === undefined
          ? link === undefined
            ? []
            : [[path, `to ${link}`]]
          : [[path, readFileSync(`${target}/source/${path}`, 'utf8').slice(0, 5)]],
      ),
    );
  }

  const RESTORED = {
    one: 'backe',
    two: 'backe',
    'folder/three': 'backe',
    'folder/two again': 'backe',
    'folder/deeper/four': 'backe',
    'folder-beside/five': 'backe',
    large: 'large',
    link: 'to one',
    unrelated: 'there',
  };

  test('leaves what is there with `skip`', async () => {
    const target = occupied();
    const { report } = await rig.restore(backup, { target, conflict: 'skip' });
    assert.deepEqual(contentsOf(target), {
      ...RESTORED,
      one: 'there',
      two: 'there',
      'folder/three': 'there',
      large: 'there',
      link: 'to /etc/passwd',
    });
    assert.equal(report.skipped, 5);
    assert.equal(report.overwritten, 0);
  });

  test('replaces what is there with `overwrite`, links too', async () => {
    const target = occupied();
    const { report } = await rig.restore(backup, { target, conflict: 'overwrite' });
    assert.deepEqual(contentsOf(target), RESTORED);
    assert.equal(report.skipped, 0);
    assert.equal(report.overwritten, 5);
    unlinkSync(`${target}/source/unrelated`);
    assertSameTree(`${target}/source`, source, ['']);
    // Once more over itself: the same again, names of one file included.
    await rig.restore(backup, { target, conflict: 'overwrite' });
    assertSameTree(`${target}/source`, source);
  });

  test('replaces what is older with `newer`', async () => {
    const target = occupied();
    utimesSync(`${target}/source/one`, NEW, NEW);
    await rig.restore(backup, { target, conflict: 'newer' });
    const { link, ...contents } = contentsOf(target);
    const { link: _, ...expected } = RESTORED;
    assert.deepEqual(contents, { ...expected, one: 'there', 'folder/three': 'there' });
    assert.equal(link, 'to /etc/passwd', 'the link that is there was made after the one in the backup');
  });

  test('never puts a folder in the place of a file, nor a file in that of a folder', async () => {
    for (const [make, code] of [
      [(path: string) => writeFileSync(`${path}/folder`, 'a file'), 'path-escapes-target'],
      [(path: string) => mkdirSync(`${path}/one`), 'folder-in-the-way'],
    ] as const) {
      const target = newTarget();
      mkdirSync(`${target}/source`, { recursive: true });
      make(`${target}/source`);
      const { report } = await rig.restore(backup, { target, conflict: 'overwrite', dryRun: true });
      const conflicts = (report.actions as { action: string }[]).filter(({ action }) => action === 'conflict');
      assert.equal(conflicts.length, 1);
      await assert.rejects(rig.restore(backup, { target, conflict: 'overwrite' }), { code });
    }
  });

  for (const [conflict, expected] of [
    ['fail', { conflict: 5, create: 3 }],
    ['skip', { skip: 5, create: 3 }],
    ['overwrite', { overwrite: 5, create: 3 }],
    ['newer', { overwrite: 2, skip: 3, create: 3 }],
  ] as const) {
    test(`in a dry run with \`${conflict}\` lists what it would do and writes nothing`, async () => {
      const target = occupied();
      const before = describeTree(target);
      const { report } = await rig.restore(backup, { target, conflict, dryRun: true });
      assert.deepEqual(describeTree(target), before);
      const counts: Record<string, number> = {};
      for (const { action } of report.actions as { action: string }[]) counts[action] = (counts[action] ?? 0) + 1;
      assert.deepEqual(counts, expected);
      assert.ok((report.actions as { path: string }[]).every(({ path }) => path.startsWith(`${source}/`)));
    });
  }

  test('in a dry run does not even make the target', async () => {
    const target = newTarget();
    const { report } = await rig.restore(backup, { target, dryRun: true });
    assert.equal(existsSync(target), false);
    assert.equal(report.dryRun, true);
    assert.equal((report.actions as unknown[]).length, 8);
    assert.equal(report.files, 7);
  });

  test('does not link a name to a file that it did not restore', async () => {
    const folder = await rig.newFolder('names/source');
    writeFileSync(`${folder}/a`, 'from the backup');
    linkSync(`${folder}/a`, `${folder}/b`);
    linkSync(`${folder}/a`, `${folder}/c`);
    const made = await rig.backUp({ paths: [folder] });
    const target = newTarget();
    mkdirSync(`${target}/source`, { recursive: true });
    writeFileSync(`${target}/source/a`, 'from elsewhere');
    await rig.restore(made.backup, { target, conflict: 'skip' });
    assert.equal(readFileSync(`${target}/source/a`, 'utf8'), 'from elsewhere');
    assert.equal(readFileSync(`${target}/source/b`, 'utf8'), 'from the backup');
    assert.equal(lstatSync(`${target}/source/b`).ino, lstatSync(`${target}/source/c`).ino);
  });

  test('in place gives back what was lost or changed, also by way of a linked folder above', async () => {
    const real = await rig.newFolder('real');
    symlinkSync('real', `${rig.folder}/alias`);
    mkdirSync(`${real}/data/folder`, { recursive: true });
    for (const name of ['kept', 'lost', 'changed', 'folder/file']) writeFileSync(`${real}/data/${name}`, name);
    cpSync(`${real}/data`, `${rig.folder}/copy`, { recursive: true, preserveTimestamps: true });
    const made = await rig.backUp({ paths: [`${rig.folder}/alias/data`] });
    unlinkSync(`${real}/data/lost`);
    rmSync(`${real}/data/folder`, { recursive: true });
    writeFileSync(`${real}/data/changed`, 'by mistake');
    await assert.rejects(rig.restore(made.backup, { inPlace: true }), { code: 'file-exists' });
    assert.equal(existsSync(`${real}/data/lost`), false, 'nothing was restored');
    await rig.restore(made.backup, { inPlace: true, paths: [`${rig.folder}/alias/data/lost`] });
    assert.equal(readFileSync(`${real}/data/lost`, 'utf8'), 'lost');
    await rig.restore(made.backup, { inPlace: true, conflict: 'overwrite' });
    for (const name of ['kept', 'lost', 'changed', 'folder/file'])
      assert.equal(readFileSync(`${real}/data/${name}`, 'utf8'), name);
    renameSync(`${real}/data`, `${real}/moved`);
    await rig.restore(made.backup, { inPlace: true });
    assertSameTree(`${real}/data`, `${real}/moved`);
  });

  test('keeps several roots apart below the folder that they share', async () => {
    const shared = await rig.newFolder('shared');
    for (const path of ['a-b', 'a', 'z']) {
      mkdirSync(`${shared}/${path}/inner`, { recursive: true });
      writeFileSync(`${shared}/${path}/inner/file`, path);
    }
    const made = await rig.backUp({ paths: [`${shared}/z/inner`, `${shared}/a-b`, `${shared}/a/inner/file`] });
    const target = newTarget();
    await rig.restore(made.backup, { target });
    assertSameTree(`${target}/a-b`, `${shared}/a-b`);
    assertSameTree(`${target}/z/inner`, `${shared}/z/inner`);
    assert.equal(readFileSync(`${target}/a/inner/file`, 'utf8'), 'a');
  });

  test('takes rights away from programs whose owner is not restored', async () => {
    const folder = await rig.newFolder('rights/source');
    writeFileSync(`${folder}/program`, '#!/bin/sh\n');
    const entry = {
      path: 'program',
      type: 'file',
      uid: 4711,
      gid: 4711,
      mode: 0o6755,
      modifiedAt: 0n,
      size: 1,
      content: { inline: Buffer.from('x') },
    } as const;
    const tree = await rig.commitTree([entry]);
    const target = newTarget();
    const { warnings } = await rig.restore(tree, { target, owner: false });
    assert.equal(lstatSync(`${target}/program`).mode & 0o7777, 0o755);
    assert.match(warnings.join('\n'), /lost its set-user-id and set-group-id bits/);
  });
});
