import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { isDatabaseProcess } from './open-elsewhere.ts';

test('a process that opens databases for Holdfast is known, whether it runs from the sources or from a bundle', async (context) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-open-elsewhere-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const isKnown = async (name: string): Promise<boolean> => {
    const script = path.join(folder, name);
    await mkdir(path.dirname(script), { recursive: true });
    await writeFile(script, 'process.stdout.write("there"); setInterval(() => undefined, 1000);');
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      return isDatabaseProcess(child.pid ?? 0);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  };
  assert.equal(await isKnown('src/services/sqlite/database-worker.ts'), true);
  assert.equal(await isKnown('.bundles/1f/services-sqlite-database-worker.mjs'), true);
  assert.equal(await isKnown('app/database-worker.mjs'), false);
});
