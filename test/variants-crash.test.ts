import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createResourceTurns } from '../src/catalogue/sqlite/resource-turns.ts';
import { firstLine } from './first-line.ts';
import { openVariants, until, type VariantsRig } from './variants-rig.ts';

const VICTIM = fileURLToPath(new URL('./variants-victim.ts', import.meta.url));
const policies = { shop: { small: { kind: 'reduced' as const } } };

async function keptOf(rig: VariantsRig): Promise<number> {
  return (await rig.catalogue.backups.allOf('shop~variants')).length;
}

test('a service that is killed while it makes a variant leaves nothing of it, and the next one makes it', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-variants-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const child = spawn(process.execPath, [VICTIM, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  assert.equal(await firstLine(child), 'making');
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;

  const beside = await openVariants(folder, { policies });
  t.after(() => beside.close());
  // It takes the operation up by itself; nothing that the killed one wrote counts.
  await until(async () => (await keptOf(beside)) === 1);
  assert.equal(beside.maker.productions, 1);
  assert.equal((await beside.repository.listSnapshots()).length, 2);
  const { items } = await beside.application.operations.list({ kind: 'variant' }, { limit: 10 });
  await until(async () => (await beside.application.operations.get(items[0]?.id ?? '')).status === 'completed');
  const answer = await beside.get('/download/shop');
  assert.deepEqual([answer.status, answer.text.includes('0151'), answer.text.length], [200, false, 3_200_011]);
  assert.equal(beside.maker.productions, 1);
});

test('two processes make a variant once', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-variants-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const turns = createResourceTurns(folder);
  const one = await openVariants(folder, { policies, turns });
  t.after(() => one.close());
  const other = await openVariants(folder, { policies, turns, isCommand: true });
  t.after(() => other.close());
  await one.upload('shop', 'Anna 0151');
  one.maker.hold();
  const first = one.get('/download/shop');
  await until(() => one.maker.productions === 1);
  // As a command beside the service that does not see its operation in time.
  await other.catalogue.operations.update(
    (await other.application.operations.list({ kind: 'variant' }, { limit: 1 })).items[0]?.id ?? '',
    { resourceId: 'elsewhere' },
  );
  const second = await other.application.variants.build(
    { resourceId: 'shop', variant: 'small', createdBy: 'test' },
    new AbortController().signal,
  );
  await until(async () => (await other.application.operations.get(second.id)).progress.phase !== undefined);
  one.maker.release();
  assert.equal((await first).text, 'Anna 7777');
  await until(async () => (await other.application.operations.get(second.id)).status === 'completed');
  assert.deepEqual([one.maker.productions, other.maker.productions, await keptOf(one)], [1, 0, 1]);
});
