import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { firstLine } from './first-line.ts';
import { Service } from './service-process.ts';

test('the first line of a process comes, whatever follows it', { timeout: 60_000 }, async () => {
  const child = spawn('/bin/sh', ['-c', 'echo loud >&2; echo ready; echo more; exit 3']);
  const ended = once(child, 'close');
  assert.equal(await firstLine(child), 'ready');
  await ended;
});

test('a process that ends before it says something is an error with its standard error', {
  timeout: 60_000,
}, async () => {
  await assert.rejects(firstLine(spawn('/bin/sh', ['-c', 'echo broken >&2; exit 3'])), /\(3\).*broken/s);
  await assert.rejects(firstLine(spawn('/nonexistent/program')), /ENOENT/);
});

test('a service that does not start says why', { timeout: 120_000 }, async (context) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-not-started-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, 'data'), '');
  await assert.rejects(Service.start(path.join(folder, 'data')), /data-folder-denied/);
});
