import assert from 'node:assert/strict';
import type { Repository } from '../src/core/ports/repository.ts';
import type { CollectionOptions } from '../src/core/ports/repository-collection.ts';
import type { Storage } from '../src/core/ports/storage.ts';

export const NOW = { dryRun: false } satisfies CollectionOptions;

export async function forget(repository: Repository, id: string, trashDays = 0): Promise<void> {
  await repository.forgetSnapshot(id, { trashDays, reason: 'test' });
}

export async function packBytes(storage: Storage): Promise<number> {
  return (await storage.list('packs/')).reduce((sum, { size }) => sum + size, 0);
}

export async function assertSound(repository: Repository): Promise<void> {
  const damage = (await repository.check({ level: 4 })).findings.filter(({ severity }) => severity === 'damage');
  assert.deepEqual(damage, []);
}
