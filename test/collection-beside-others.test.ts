import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../src/core/errors.ts';
import type { Repository } from '../src/core/ports/repository.ts';
import type { CollectionReport } from '../src/core/ports/repository-collection.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { assertSound, forget, NOW, packBytes } from './collection-rig.ts';
import { backUpBytes, readBytes, TemporaryRepository } from './temporary-repository.ts';

describe('a collection on a storage with a retention lock', () => {
  test('what the storage refuses to delete is counted, and removed once it may be', async (context) => {
    const temporary = await TemporaryRepository.create();
    context.after(() => temporary.remove());
    const { repository } = temporary;
    await backUpBytes(repository, randomBytes(1000));
    const { id } = await backUpBytes(repository, randomBytes(300_000));
    await forget(repository, id);
    const locked = wrap(await openStorage({ folder: temporary.folder }), async (operation, key, go) => {
      if (operation === 'delete' && key.startsWith('packs/'))
        throw new HoldfastError('denied', 'storage-denied', 'a retention lock');
      return go();
    });
    const fresh = await openRepository({ storage: locked, providers: [temporary.provider], workers: 1 });
    context.after(() => fresh.close());
    const report = await fresh.collect(NOW);
    assert.ok(report.refusedDeletes > 0);
    assert.ok((await packBytes(temporary.storage)) > 300_000);
    assert.ok((await repository.collect(NOW)).packsRemoved > 0);
    assert.ok((await packBytes(temporary.storage)) < 10_000);
  });
});

test('a collection deletes several packs at once, and none before the index that named them is gone', async (context) => {
  const temporary = await TemporaryRepository.create();
  context.after(() => temporary.remove());
  const { repository } = temporary;
  await backUpBytes(repository, randomBytes(1000));
  const { id } = await backUpBytes(repository, randomBytes(1_200_000));
  await forget(repository, id);
  let atOnce = 0;
  let mostAtOnce = 0;
  const order: string[] = [];
  const storage = wrap(await openStorage({ folder: temporary.folder }), async (operation, key, go) => {
    if (operation !== 'delete') return go();
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    await sleep(2);
    const result = await go();
    atOnce--;
    order.push(key.slice(0, key.indexOf('/')));
    return result;
  });
  const fresh = await openRepository({ storage, providers: [temporary.provider], workers: 1 });
  context.after(() => fresh.close());
  assert.ok((await fresh.collect(NOW)).packsRemoved >= 4);
  assert.ok(mostAtOnce >= 4, `${mostAtOnce} at once`);
  assert.ok(order.lastIndexOf('index') < order.indexOf('packs'), order.join());
});

describe('a collection that crashes', () => {
  test('at any of its operations leaves every backup whole, and the next one finishes what it began', async () => {
    let crashes = 0;
    for (let crashAt = 1; ; crashAt++) {
      const temporary = await TemporaryRepository.create();
      const opened: Repository[] = [];
      try {
        const { repository } = temporary;
        const shared = randomBytes(40_000);
        const kept = randomBytes(300_000);
        const first = await backUpBytes(repository, Buffer.concat([shared, randomBytes(400_000)]));
        const second = await backUpBytes(repository, kept);
        const third = await backUpBytes(repository, shared);
        await forget(repository, first.id);
        let operations = 0;
        const storage = wrap(await openStorage({ folder: temporary.folder }), async (operation, _key, go) => {
          if (operation !== 'write') return go();
          operations++;
          if (operations === crashAt) throw new Error('crash');
          if (operations > crashAt) throw new Error('dead');
          return go();
        });
        const doomed = await openRepository({ storage, providers: [temporary.provider], workers: 1 });
        opened.push(doomed);
        let report: CollectionReport | undefined;
        try {
          report = await doomed.collect(NOW);
        } catch (error) {
          assert.ok(error instanceof Error && ['crash', 'dead'].includes(error.message), String(error));
          crashes++;
        }
        const fresh = await temporary.openAgain();
        opened.push(fresh);
        const during = randomBytes(100_000);
        const backup = await backUpBytes(fresh, during);
        for (let again = 0; again < 3; again++) await fresh.collect(NOW);
        for (const [id, bytes] of [
          [second.id, kept],
          [third.id, shared],
          [backup.id, during],
        ] as const)
          assert.ok((await readBytes(fresh, id)).equals(bytes), `crash at ${crashAt}`);
        await assertSound(fresh);
        assert.ok((await packBytes(temporary.storage)) < 500_000, `crash at ${crashAt}: garbage is left`);
        if (report !== undefined) break;
      } finally {
        for (const other of opened) await other.close();
        await temporary.remove();
      }
    }
    assert.ok(crashes >= 8, `${crashes} crashes`);
  });
});

describe('collections beside everything else', () => {
  test('two collectors, writers and readers in several processes’ stead leave every reported backup whole', async () => {
    const temporary = await TemporaryRepository.create();
    const others = [await temporary.openAgain(), await temporary.openAgain(), await temporary.openAgain()] as const;
    try {
      const reported = new Map<string, Buffer>();
      await backUpBytes(temporary.repository, randomBytes(10));
      const pool = Array.from({ length: 6 }, () => randomBytes(80_000));
      const begun = Date.now();
      let removed = 0;
      // Longer where a busy machine has not come to the sixth backup by then, before which there is nothing to remove.
      const goesOn = () => Date.now() - begun < (removed > 0 ? 4000 : 120_000);
      const failures: unknown[] = [];
      const write = async (repository: Repository, seed: number): Promise<void> => {
        for (let turn = 0; goesOn(); turn++) {
          const bytes = Buffer.concat([
            pool[(turn + seed) % 6],
            randomBytes(20_000),
            pool[(turn * 3 + seed) % 6],
          ] as Buffer[]);
          try {
            reported.set((await backUpBytes(repository, bytes)).id, bytes);
          } catch (error) {
            const { code } = error as { code?: string };
            if (!['collected-meanwhile', 'collection-in-the-way', 'object-missing'].includes(code ?? ''))
              failures.push(error);
          }
          const [oldest] = reported.keys();
          if (reported.size > 5 && oldest !== undefined) {
            reported.delete(oldest);
            await forget(repository, oldest);
          }
        }
      };
      const collect = async (repository: Repository): Promise<void> => {
        while (goesOn()) removed += (await repository.collect(NOW)).packsRemoved;
      };
      const outcomes = await Promise.allSettled([
        write(temporary.repository, 0),
        write(others[0], 3),
        collect(others[1]),
        collect(others[2]),
      ]);
      const rejected = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
      assert.deepEqual([...failures, ...rejected], []);
      assert.ok(removed > 0, 'nothing was removed');
      for (const [id, bytes] of reported) assert.ok((await readBytes(others[0], id)).equals(bytes), id);
      await assertSound(others[0]);
    } finally {
      for (const other of others) await other.close();
      await temporary.remove();
    }
  });
});

/** A storage whose operations pass by `around`; workers, which open their own, are not touched. */
function wrap(
  storage: Storage,
  around: <Result>(operation: 'read' | 'write' | 'delete', key: string, go: () => Promise<Result>) => Promise<Result>,
): Storage {
  return {
    kind: storage.kind,
    location: storage.location,
    reopen: storage.reopen,
    putNew: (key, bytes) => around('write', key, () => storage.putNew(key, bytes)),
    beginNew: () => storage.beginNew(),
    replace: (key, bytes) => around('write', key, () => storage.replace(key, bytes)),
    get: (key) => storage.get(key),
    getRange: (key, offset, length, buffer) => storage.getRange(key, offset, length, buffer),
    list: (prefix, options) => storage.list(prefix, options),
    delete: (key, options) => around('delete', key, () => around('write', key, () => storage.delete(key, options))),
    serverTime: () => storage.serverTime(),
    close: () => storage.close(),
  };
}
