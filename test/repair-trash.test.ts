import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { RepairOptions } from '../src/core/ports/repository.ts';
import type { CheckFinding } from '../src/core/ports/repository-check.ts';
import type { RepairAction } from '../src/core/ports/repository-repair.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { flip } from './flipped-bytes.ts';
import { backUpBytes, TemporaryRepository } from './temporary-repository.ts';

test('a forgotten backup that is damaged is fetched from a copy, or taken away, so that collections go on', async (context) => {
  const temporary = await TemporaryRepository.create();
  context.after(() => temporary.remove());
  const { repository } = temporary;
  const repair = async (options: Partial<RepairOptions> = {}): Promise<RepairAction[]> =>
    (await repository.repair({ dryRun: false, ...options })).steps.map(({ action }) => action);
  const damages = async (): Promise<readonly CheckFinding[]> => {
    const other = await temporary.openAgain();
    const { findings } = await other.check({ level: 4 }).finally(() => other.close());
    return findings.filter(({ severity }) => severity !== 'warning');
  };
  const { id } = await backUpBytes(repository, randomBytes(1000));
  await backUpBytes(repository, randomBytes(1000));
  await repository.forgetSnapshot(id, { trashDays: 7, reason: 'test' });
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-replica-'));
  context.after(() => rm(folder, { recursive: true }));
  await cp(temporary.folder, folder, { recursive: true });
  const replica = await openStorage({ folder });
  await flip(temporary.folder, `trash/${id}`, 80);
  await assert.rejects(repository.collect({ dryRun: true }), { code: 'object-damaged' });
  assert.deepEqual(await repair({ replicas: [replica] }), ['fetch-object']);
  assert.deepEqual(await damages(), []);
  assert.deepEqual(
    (await repository.listTrash()).map((entry) => entry.id),
    [id],
  );
  await flip(temporary.folder, `trash/${id}`, 80);
  assert.deepEqual(await repair({ dryRun: true }), ['quarantine-object']);
  await assert.rejects(repository.collect({ dryRun: true }), { code: 'object-damaged' });
  assert.deepEqual(await repair(), ['quarantine-object']);
  assert.deepEqual(await damages(), []);
  assert.deepEqual(await repository.listTrash(), []);
  await repository.collect({ dryRun: false });
  assert.deepEqual(await damages(), []);
});
