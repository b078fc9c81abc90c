import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { isProcessAlive, ownProcess } from './process-owner.ts';

test('this process is alive, and one that used its id before is not', () => {
  assert.equal(isProcessAlive(ownProcess()), true);
  assert.equal(isProcessAlive(`${hostname()}:${process.pid}:12345`), false);
});

test('an ended process, another host and nonsense count as gone', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  assert.equal(isProcessAlive(`${hostname()}:${child.pid}:`), false);
  assert.equal(isProcessAlive(`another-${ownProcess()}`), false);
  for (const owner of ['', 'x', 'a:b:c', '::']) assert.equal(isProcessAlive(owner), false);
});
