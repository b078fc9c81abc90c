import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { acquireServiceLock, serviceLockHolder } from './service-lock.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-lock-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('one process serves a data folder, and a killed one leaves no lock', { timeout: 20_000 }, async (context) => {
  const data = path.join(folder, 'data');
  await (await acquireServiceLock(data)).release();
  const module = new URL('./service-lock.ts', import.meta.url).href;
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      '--input-type=module',
      '-e',
      // What it returns is dropped, and garbage collected: the lock stays all the same.
      `const { acquireServiceLock } = await import(${JSON.stringify(module)});
       await acquireServiceLock(${JSON.stringify(data)});
       setInterval(() => {}, 1000);
       setTimeout(() => { gc(); gc(); console.log('held'); }, 10);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  context.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  await assert.rejects(acquireServiceLock(data), {
    code: 'data-folder-in-use',
    message: new RegExp(`Process ${child.pid}`),
  });
  assert.equal(await serviceLockHolder(data), child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(await serviceLockHolder(data), undefined);
  await (await acquireServiceLock(data)).release();
});

test('a data folder that cannot be, and a lock file that is none, are told apart', async () => {
  const file = path.join(folder, 'file');
  await writeFile(file, '');
  await assert.rejects(acquireServiceLock(path.join(file, 'data')), { code: 'data-folder-denied', kind: 'denied' });
  assert.equal(await serviceLockHolder(path.join(file, 'data')), undefined);
  await writeFile(path.join(folder, 'service.lock'), 'no lock file, but long enough to be looked at '.repeat(100));
  await assert.rejects(acquireServiceLock(folder), { code: 'service-lock-damaged' });
});
