import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { DownloadChoice } from '../src/core/ports/service-download.ts';
import type { TreeEntry } from '../src/core/tree-entry.ts';
import { downloaded, openDownload } from './downloaded-content.ts';
import { assertSameTree, describeTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';
import {
  bytePath,
  IS_ROOT,
  makeContents,
  makeHardLinks,
  makeMetadata,
  makeNames,
  makeSparse,
  writeSparse,
} from './files-sample-tree.ts';
import { skipWithout } from './installed-programs.ts';

const MEBIBYTE = 1024 * 1024;
describe('a download of a tree of files', { timeout: 600_000 }, () => {
  let rig: FilesRig;
  before(async () => {
    rig = await FilesRig.create();
  });
  after(() => rig.remove());

  const download = (backup: Backup, choice: DownloadChoice, range?: { offset: number; length: number }) =>
    downloaded(rig.service, rig.repository, backup, choice, range);
  const refused = (backup: Backup, choice: DownloadChoice, code = 'download-choice-invalid') =>
    assert.rejects(openDownload(rig.service, rig.repository, backup, choice), { code });

  /** GNU tar's words on standard error. */
  async function untar(archive: Buffer, target: string): Promise<string> {
    mkdirSync(target, { recursive: true });
    const options = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--same-owner', '--preserve-permissions'];
    const { status, stderr } = spawnSync('tar', ['-x', ...options, '-C', target, '-f', '-'], { input: archive });
    assert.equal(status, 0, stderr.toString());
    return stderr.toString();
  }

  for (const [what, make] of [
    ['contents of all sizes', makeContents],
    ['names of all bytes', makeNames],
    ['links, special files, modes, owners, times and attributes', makeMetadata],
    ['files with several names', makeHardLinks],
    ['holes', makeSparse],
  ] as const)
    test(`as tar gives GNU tar ${what}`, {
      skip: IS_ROOT ? false : 'only root can unpack owners and devices',
    }, async () => {
      const source = await rig.newFolder(`${make.name}/source`);
      make(source);
      const { backup } = await rig.backUp({ paths: [source] });
      const { bytes, warnings, material } = await download(backup, { format: 'tar' });
      assert.deepEqual([warnings, material.fileExtension, material.isReproducible], [[], '.tar', true]);
      const target = `${rig.folder}/${make.name}/target`;
      const said = await untar(bytes, target);
      assert.doesNotMatch(said, /unknown|Ignoring|Malformed/i);
      assertSameTree(`${target}/source`, source);
      assert.ok((await download(backup, { format: 'tar' })).bytes.equals(bytes), 'another download is another archive');
    });

  test('as tar leaves large holes out, and unpacks them as holes', async () => {
    const source = await rig.newFolder('vast/source');
    writeSparse(`${source}/vast`, 1024 * 1024 * MEBIBYTE, [
      [512 * MEBIBYTE, 100_000],
      [700_000 * MEBIBYTE, 3],
    ]);
    const { backup } = await rig.backUp({ paths: [source] });
    const { bytes } = await download(backup, { format: 'tar' });
    assert.ok(bytes.length < 2 * MEBIBYTE, `${bytes.length} bytes`);
    await untar(bytes, `${rig.folder}/vast/target`);
    const there = lstatSync(`${rig.folder}/vast/target/source/vast`);
    assert.equal(there.size, 1024 * 1024 * MEBIBYTE);
    assert.ok(there.blocks <= lstatSync(`${source}/vast`).blocks + 16);
    const bytesAt = (file: string, offset: number) => {
      const descriptor = openSync(file, 'r');
      const read = Buffer.alloc(200_000);
      readSync(descriptor, read, 0, read.length, offset);
      closeSync(descriptor);
      return read;
    };
    for (const offset of [512 * MEBIBYTE - 1000, 700_000 * MEBIBYTE - 1000])
      assert.ok(bytesAt(`${rig.folder}/vast/target/source/vast`, offset).equals(bytesAt(`${source}/vast`, offset)));
  });

  test('holds what is at or below the paths that are chosen, with the content of a file whose first name is elsewhere', async () => {
    const source = await rig.newFolder('part/source');
    makeHardLinks(source);
    const { backup } = await rig.backUp({ paths: [source] });
    const chosen = await download(backup, { format: 'tar', paths: [`${source}/z`, `source/m small`] });
    const target = `${rig.folder}/part/target`;
    await untar(chosen.bytes, target);
    assert.deepEqual([...describeTree(`${target}/source`).keys()].sort(), ['', 'm small', 'z', 'z/large', 'z/small']);
    for (const name of ['z/large', 'z/small', 'm small'])
      assert.ok(readFileSync(`${target}/source/${name}`).equals(readFileSync(`${source}/${name}`)), name);
    await refused(backup, { format: 'tar', paths: [`${source}/absent`] });
    await refused(backup, { format: 'tar', paths: [`${source}/z`, 'nor this'] });
    await refused(backup, { format: 'tar', paths: [] });
    await refused(backup, { format: 'tar', tables: ['a'] });
    await refused(backup, { format: 'sql' });
  });

  test('as bytes is one file, whole or from any byte on', async () => {
    const source = await rig.newFolder('one/source');
    const content = randomBytes(5 * MEBIBYTE + 3);
    writeFileSync(`${source}/film.mp4`, content);
    writeFileSync(`${source}/empty`, '');
    writeFileSync(`${source}/small`, 'small');
    symlinkSync('small', `${source}/link`);
    const { backup } = await rig.backUp({ paths: [source] });
    const paths = [`${source}/film.mp4`];
    const whole = await download(backup, { format: 'bytes', paths });
    assert.ok(whole.bytes.equals(content));
    assert.deepEqual([whole.material.length, whole.material.fileExtension], [content.length, '.mp4']);
    for (const [offset, length] of [
      [0, 10],
      [MEBIBYTE - 1, 2 * MEBIBYTE],
      [content.length - 1, 1],
    ] as const) {
      const part = await download(backup, { format: 'bytes', paths }, { offset, length });
      assert.ok(part.bytes.equals(content.subarray(offset, offset + length)), `${offset}+${length}`);
    }
    assert.equal((await download(backup, { format: 'bytes', paths: [`${source}/empty`] })).bytes.length, 0);
    const small = await download(backup, { format: 'bytes', paths: [`${source}/small`] }, { offset: 1, length: 3 });
    assert.equal(small.bytes.toString(), 'mal');
    await refused(backup, { format: 'bytes' });
    await refused(backup, { format: 'bytes', paths: [source] });
    await refused(backup, { format: 'bytes', paths: [`${source}/link`] });
    await refused(backup, { format: 'bytes', paths: [`${source}/small`, `${source}/empty`] });
  });

  test('as zip gives unzip contents, modes and symbolic links, and tells what it cannot hold', {
    skip: skipWithout({ unzip: 'unzip' }),
  }, async () => {
    const source = await rig.newFolder('zip/source');
    makeContents(source);
    makeSparse(source);
    mkdirSync(`${source}/folder`);
    mkdirSync(`${source}/empty folder`);
    writeFileSync(`${source}/folder/run.sh`, '#!/bin/sh\n');
    chmodSync(`${source}/folder/run.sh`, 0o750);
    symlinkSync('folder/run.sh', `${source}/link`);
    writeFileSync(bytePath(source, Buffer.from('Grüße 日本語 🗄️').toString('latin1')), 'UTF-8');
    execFileSync('ln', [`${source}/text`, `${source}/folder/text again`]);
    execFileSync('mkfifo', [`${source}/pipe`]);
    const { backup } = await rig.backUp({ paths: [source] });
    const { bytes, warnings } = await download(backup, { format: 'zip' });
    assert.match(warnings.join(), /source\/pipe is not in the archive.*fifo/);
    const file = `${rig.folder}/zip/archive.zip`;
    writeFileSync(file, bytes);
    const target = `${rig.folder}/zip/target`;
    execFileSync('unzip', ['-q', '-tq', file]);
    execFileSync('unzip', ['-q', '-X', file, '-d', target], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    const expected = describeTree(source);
    expected.delete('pipe');
    const found = describeTree(`${target}/source`);
    assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
    for (const [path, { kind, mode, size, sha256, target: to, modifiedAt }] of expected) {
      const there = found.get(path)!;
      assert.deepEqual(
        [there.kind, there.mode, there.size, there.sha256, there.target],
        [kind, mode, size, sha256, to],
        path,
      );
      if (kind === 0o100000n) assert.equal(there.modifiedAt / 1_000_000_000n, modifiedAt / 1_000_000_000n, path);
    }
    const listed = execFileSync(
      'python3',
      ['-c', 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()))', file],
      { encoding: 'utf8' },
    );
    assert.equal(listed.trim(), `None ${expected.size}`);
    await refused(backup, { format: 'zip', paths: ['/absent'] });
  });

  test('refuses entries that would be unpacked elsewhere, as a restore does', async () => {
    const entry = (path: string): TreeEntry => ({
      path,
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      modifiedAt: 0n,
      size: 1,
      content: { inline: Buffer.from('x') },
    });
    for (const path of ['../above', 'a/../../above', 'a//b', '/etc/passwd'])
      for (const format of ['tar', 'zip'] as const) {
        const backup = await rig.commitTree([entry(path)]);
        await assert.rejects(download(backup, { format }), { code: 'path-escapes-target' }, path);
      }
    // Behind a link: not every program that unpacks archives looks where it writes.
    const { size: _, content: __, ...link } = entry('in/link');
    for (const format of ['tar', 'zip'] as const) {
      const backup = await rig.commitTree([{ ...link, type: 'symlink', target: '/etc' }, entry('in/link/passwd')]);
      await assert.rejects(download(backup, { format }), { code: 'path-escapes-target' });
    }
  });

  test('names the file whose bytes are damaged, and never ends well', async () => {
    const source = await rig.newFolder('damaged/source');
    writeFileSync(`${source}/a`, randomBytes(40_000));
    writeFileSync(`${source}/b`, randomBytes(3 * MEBIBYTE));
    writeFileSync(`${source}/c`, randomBytes(40_000));
    const { backup } = await rig.backUp({ paths: [source] });
    const packs = execFileSync(
      'find',
      [`${rig.temporary.folder}/packs`, '-newer', `${source}/c`, '-size', '+30k', '-type', 'f'],
      { encoding: 'utf8' },
    );
    for (const pack of packs.split('\n').filter(Boolean)) {
      chmodSync(pack, 0o600);
      truncateSync(pack, lstatSync(pack).size >> 1);
    }
    for (const format of ['tar', 'zip'] as const)
      await assert.rejects(download(backup, { format }), (error: Error & { kind?: string }) => {
        assert.match(error.message, /source\/[abc] cannot be restored/);
        return error.kind === 'damaged';
      });
  });

  test('ends at once when it is aborted or left', async () => {
    const source = await rig.newFolder('left/source');
    for (const name of ['a', 'b', 'c']) writeFileSync(`${source}/${name}`, randomBytes(4 * MEBIBYTE));
    const { backup } = await rig.backUp({ paths: [source] });
    for (const format of ['tar', 'zip'] as const) {
      const ending = new AbortController();
      const aborted = await openDownload(rig.service, rig.repository, backup, { format }, ending.signal);
      await assert.rejects(async () => {
        for await (const _ of aborted.material.bytes()) ending.abort();
      });
      await aborted.close();
      const left = await openDownload(rig.service, rig.repository, backup, { format });
      for await (const _ of left.material.bytes()) break;
      await left.close();
    }
  });
});
