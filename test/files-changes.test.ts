import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { BackupTask } from '../src/services/files/backup-task.ts';
import { FilesRig } from './files-rig.ts';
import { IS_ROOT } from './files-sample-tree.ts';

const LARGE = 2 * 1024 * 1024;

describe('a tree that changes while it is backed up', () => {
  let rig: FilesRig;
  before(async () => {
    rig = await FilesRig.create();
  });
  after(() => rig.remove());

  /** Runs `change` once, before the first task of a kind. */
  function once(kind: BackupTask['kind'], change: () => void): (task: BackupTask) => void {
    let done = false;
    return (task) => {
      if (done || task.kind !== kind) return;
      done = true;
      change();
    };
  }

  /** Backs up a folder of three files, the middle one of which meets `change`, and restores it. */
  async function backUpAround(
    name: string,
    size: number,
    kind: BackupTask['kind'],
    change: (file: string) => void,
  ): Promise<{ source: string; target: string; warnings: string[]; restored: string[] }> {
    const source = await rig.newFolder(`${name}/source`);
    writeFileSync(`${source}/a before`, 'before');
    writeFileSync(`${source}/victim`, randomBytes(size));
    writeFileSync(`${source}/z after`, 'after');
    const { backup, warnings } = await rig.backUp(
      { paths: [source] },
      { beforeTask: once(kind, () => change(`${source}/victim`)) },
    );
    const target = `${rig.folder}/${name}/target/source`;
    await rig.restore(backup, { target: `${rig.folder}/${name}/target` });
    assert.equal(readFileSync(`${target}/a before`, 'utf8'), 'before');
    assert.equal(readFileSync(`${target}/z after`, 'utf8'), 'after');
    const restored = (await rig.entries(backup)).map(({ path }) => path.slice(path.lastIndexOf('/') + 1)).sort();
    return { source, target, warnings, restored: restored.filter((each) => each !== 'source') };
  }

  function assertOneWarning(warnings: readonly string[], file: string, what: RegExp): void {
    assert.equal(warnings.length, 1, warnings.join('\n'));
    const [warning = ''] = warnings;
    assert.ok(warning.startsWith(`${file} `), warning);
    assert.match(warning, what);
  }

  test('a small file that vanishes is named, and the rest is backed up', async () => {
    const { source, warnings, restored } = await backUpAround('vanish-small', 100, 'batch', (file) => unlinkSync(file));
    assertOneWarning(warnings, `${source}/victim`, /vanished while it was being backed up; it is not in this backup/);
    assert.deepEqual(restored, ['a before', 'z after']);
  });

  test('a large file that vanishes before it is read is named, and the rest is backed up', async () => {
    const { source, warnings, restored } = await backUpAround('vanish-large', LARGE, 'segment', (file) =>
      unlinkSync(file),
    );
    assertOneWarning(warnings, `${source}/victim`, /vanished while it was being backed up/);
    assert.deepEqual(restored, ['a before', 'z after']);
  });

  test('a large file that grows while it is read is named and kept as far as it was read', async () => {
    const { source, target, warnings } = await backUpAround('grow', LARGE, 'segment', (file) =>
      appendFileSync(file, 'more'),
    );
    assertOneWarning(warnings, `${source}/victim`, /changed while it was being backed up/);
    const begin = readFileSync(`${source}/victim`).subarray(0, LARGE);
    assert.ok(begin.equals(readFileSync(`${target}/victim`)));
  });

  test('a large file that shrinks while it is read is named and kept as far as it was read', async () => {
    const { source, target, warnings } = await backUpAround('shrink', LARGE, 'segment', (file) =>
      truncateSync(file, 700_000),
    );
    assertOneWarning(warnings, `${source}/victim`, /changed while it was being backed up/);
    assert.ok(readFileSync(`${source}/victim`).equals(readFileSync(`${target}/victim`)));
  });

  test('a large file that is replaced by a link is not followed', async () => {
    const { source, warnings, restored } = await backUpAround('swap', LARGE, 'segment', (file) => {
      renameSync(file, `${file}.away`);
      symlinkSync('/etc/passwd', file);
    });
    assertOneWarning(warnings, `${source}/victim`, /could not be read and is not in this backup/);
    assert.deepEqual(restored, ['a before', 'z after']);
  });

  test('a file that was changed while it was read is read again by the next backup', async () => {
    const source = await rig.newFolder('again');
    writeFileSync(`${source}/victim`, randomBytes(LARGE));
    const first = await rig.backUp(
      { paths: [source] },
      { beforeTask: once('segment', () => appendFileSync(`${source}/victim`, 'more')) },
    );
    const second = await rig.backUp({ paths: [source] }, { base: first.backup });
    assert.deepEqual(second.warnings, []);
    assert.equal(second.made.readBytes, LARGE + 4);
  });

  test('a file that gives more than its size says is told to have changed', async () => {
    // Files of the kernel say that they are empty.
    const { warnings, backup } = await rig.backUp({ paths: ['/proc/version'] });
    assertOneWarning(warnings, '/proc/version', /changed while it was being backed up/);
    await rig.restore(backup, { target: `${rig.folder}/kernel` });
    assert.equal(readFileSync(`${rig.folder}/kernel/version`, 'utf8'), readFileSync('/proc/version', 'utf8'));
  });

  test('a file that gives an error when it is read is named, and the rest is backed up', async () => {
    const source = await rig.newFolder('unreadable');
    writeFileSync(`${source}/readable`, 'yes');
    const memory = `/proc/${process.pid}/mem`;
    const { warnings, made } = await rig.backUp({ paths: [source, memory] });
    assertOneWarning(warnings, memory, /could not be read and is not in this backup: EIO/);
    assert.equal(made.files?.total, 1);
    assert.equal(made.serviceData.unreadable, 1);
  });

  test('a file and a folder without permissions are named', {
    skip: IS_ROOT && 'root may read everything',
  }, async () => {
    const source = await rig.newFolder('forbidden');
    writeFileSync(`${source}/file`, 'secret', { mode: 0o000 });
    mkdirSync(`${source}/folder`, { mode: 0o000 });
    const { warnings } = await rig.backUp({ paths: [source] });
    chmodSync(`${source}/folder`, 0o700);
    assert.ok(warnings.some((warning) => warning.startsWith(`${source}/file could not be read`)));
    assert.ok(warnings.some((warning) => warning.startsWith(`${source}/folder could not be listed`)));
  });

  test('folders too deep to be listed are named, and the rest is backed up', async () => {
    const source = await rig.newFolder('deep');
    const name = `/${'d'.repeat(200)}`;
    mkdirSync(source + name.repeat(15), { recursive: true });
    mkdirSync(`${source}/other${name.repeat(10)}`, { recursive: true });
    renameSync(`${source}/other`, `${source}${name.repeat(15)}/other`);
    writeFileSync(`${source}/z`, 'after');
    try {
      const { warnings, backup } = await rig.backUp({ paths: [source] });
      assert.ok(warnings.some((warning) => /could not be listed, so nothing below it is in this backup/.test(warning)));
      assert.ok((await rig.entries(backup)).some(({ path }) => path.endsWith('/z')));
    } finally {
      execFileSync('rm', ['-rf', source]);
    }
  });

  test('a folder that vanishes between being found and being listed is named, and the rest is backed up', async () => {
    const source = await rig.newFolder('folders');
    mkdirSync(`${source}/a`);
    for (let number = 0; number < 600; number++) writeFileSync(`${source}/a/${number}`, 'x');
    // The folder after the one at hand is listed ahead.
    mkdirSync(`${source}/b`);
    mkdirSync(`${source}/c`);
    writeFileSync(`${source}/c/file`, 'lost');
    writeFileSync(`${source}/d`, 'kept');
    const { warnings, backup } = await rig.backUp(
      { paths: [source] },
      { beforeTask: once('batch', () => rmSync(`${source}/c`, { recursive: true })) },
    );
    assert.deepEqual(
      warnings.map((warning) => warning.split(' ').slice(0, 3).join(' ')).sort(),
      [`${source}/c could not`, `${source}/c vanished while`].sort(),
    );
    assert.ok((await rig.entries(backup)).some(({ path }) => path.endsWith('/d')));
  });

  test('a socket is listed and told to be of no use', async () => {
    const source = await rig.newFolder('socket');
    const server = createServer().listen(`${source}/socket`);
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const { warnings, backup } = await rig.backUp({ paths: [source] });
      assertOneWarning(warnings, `${source}/socket`, /is a socket: it is listed in this backup/);
      const { report } = await rig.restore(backup, { target: `${rig.folder}/socket-target` });
      assert.equal(report.other, 0);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('a configured path that is missing fails the backup, and no backup is left', async () => {
    const source = await rig.newFolder('missing');
    const before = await rig.repository.listSnapshots();
    for (const path of [`${source}/nothing`, '/etc/passwd/below'])
      await assert.rejects(rig.backUp({ paths: [source, path] }), { code: 'path-missing', message: new RegExp(path) });
    assert.deepEqual(await rig.repository.listSnapshots(), before);
  });

  test('a fault of the repository is never taken for one of a file', async () => {
    const source = await rig.newFolder('storage-fault');
    writeFileSync(`${source}/large`, randomBytes(LARGE));
    const unfinished = `${rig.temporary.folder}/tmp`;
    try {
      const beforeTask = once('segment', () => {
        renameSync(unfinished, `${unfinished}.away`);
        writeFileSync(unfinished, 'no folder');
      });
      await assert.rejects(rig.backUp({ paths: [source] }, { beforeTask }), { code: 'storage-denied' });
    } finally {
      rmSync(unfinished, { recursive: true, force: true });
      renameSync(`${unfinished}.away`, unfinished);
    }
  });
});
