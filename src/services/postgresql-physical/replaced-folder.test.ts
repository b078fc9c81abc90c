import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { exchange, nameAside, requireReplaceable } from './replaced-folder.ts';

describe('a data folder that is replaced', () => {
  let parent: string;
  let target: string;
  let restored: string;
  beforeEach(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'holdfast-replaced-'));
    [target, restored] = [path.join(parent, 'data'), path.join(parent, 'data.holdfast-1')];
    for (const folder of [target, restored]) {
      await mkdir(path.join(folder, 'global'), { recursive: true });
      await writeFile(path.join(folder, 'global', 'pg_control'), '');
      await writeFile(path.join(folder, 'PG_VERSION'), path.basename(folder));
    }
  });
  afterEach(() => rm(parent, { recursive: true, force: true }));
  const versionIn = (folder: string) => readFile(path.join(folder, 'PG_VERSION'), 'utf8');

  test('is kept under a name that nobody has', async () => {
    const at = new Date('2026-03-01T12:30:05.123Z');
    const first = await nameAside(target, at);
    assert.equal(first, `${target}.before-restore-20260301T123005Z`);
    await mkdir(first);
    assert.equal(await nameAside(target, at), `${first}-2`);
    await exchange(restored, target, `${first}-2`);
    assert.deepEqual([await versionIn(target), await versionIn(`${first}-2`)], ['data.holdfast-1', 'data']);
  });

  test('is not touched while a server may run in it', async () => {
    await writeFile(path.join(target, 'postmaster.pid'), '4711\n');
    await assert.rejects(exchange(restored, target, `${target}.aside`), {
      code: 'restore-target-in-use',
      message: /names process 4711/,
    });
    assert.deepEqual((await readdir(parent)).sort(), ['data', 'data.holdfast-1']);
    await rm(path.join(target, 'postmaster.pid'));
    // As a server's processes do, one of which may have outlived the others.
    const worker = spawn('sleep', ['60'], { cwd: target });
    try {
      await once(worker, 'spawn');
      await assert.rejects(requireReplaceable(target), { code: 'restore-target-in-use', message: /works in/ });
    } finally {
      worker.kill('SIGKILL');
      await once(worker, 'exit');
    }
    await requireReplaceable(target);
  });

  test('is in its place again where the new one cannot take it', async () => {
    await rm(restored, { recursive: true });
    await assert.rejects(exchange(restored, target, `${target}.aside`), { code: 'ENOENT' });
    assert.deepEqual(await readdir(parent), ['data']);
    assert.equal(await versionIn(target), 'data');
  });

  test('is one: any other folder is left alone', async () => {
    await rm(path.join(target, 'global'), { recursive: true });
    await assert.rejects(exchange(restored, target, `${target}.aside`), { code: 'target-not-a-data-folder' });
    assert.equal(await versionIn(target), 'data');
  });
});
