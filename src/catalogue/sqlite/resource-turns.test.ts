import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createResourceTurns } from './resource-turns.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-turns-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const { signal } = new AbortController();
const never = () => assert.fail('somebody waits for nobody');

test('processes take turns at a resource, and one that is killed ends its turn', {
  timeout: 60_000,
}, async (context) => {
  const module = new URL('./resource-turns.ts', import.meta.url).href;
  const script = `const { createResourceTurns } = await import(${JSON.stringify(module)});
    await createResourceTurns(${JSON.stringify(folder)}).take('shop', new AbortController().signal, () => {});
    setInterval(() => {}, 1000);
    console.log('taken');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const turns = createResourceTurns(folder);
  (await turns.take('another', signal, never))();
  const waits: string[] = [];
  const taking = turns.take('shop', signal, () => {
    waits.push('waits');
    child.kill('SIGKILL');
  });
  const end = await taking;
  assert.deepEqual([waits, child.killed], [['waits'], true]);
  end();
  (await turns.take('shop', signal, never))();
});

test('who is cancelled while waiting does not get the turn', async () => {
  const turns = createResourceTurns(folder);
  const end = await turns.take('orders', signal, never);
  const cancelling = new AbortController();
  const reason = new Error('cancelled');
  await assert.rejects(
    turns.take('orders', cancelling.signal, () => cancelling.abort(reason)),
    (error) => error === reason,
  );
  end();
  (await turns.take('orders', signal, never))();
});

test('a folder that cannot be made is told', async () => {
  await writeFile(path.join(folder, 'file'), '');
  const turns = createResourceTurns(path.join(folder, 'file'));
  await assert.rejects(turns.take('shop', signal, never), { code: 'turns-denied', kind: 'denied' });
});
