import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Repository } from '../src/core/ports/repository.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { roundName } from '../src/repository/collection/collection-state.ts';
import { encodeMetadata } from '../src/repository/metadata-encoding.ts';
import { openKeys, openRepository } from '../src/repository/open-repository.ts';
import { SEALED_KIND, sealObject } from '../src/repository/sealed-object.ts';
import { decodeSettings } from '../src/repository/settings.ts';
import { backUpBytes, pieces, readBytes, recordOf, TemporaryRepository } from './temporary-repository.ts';

/** A power cut may bring back every object whose delete was not asked to last, and takes nothing of what was written to last. */
describe('after a power cut that undoes what was not made to last', () => {
  let temporary: TemporaryRepository;
  let repository: Repository;
  let undone: Map<string, Buffer>;
  beforeEach(async () => {
    temporary = await TemporaryRepository.create();
    undone = new Map();
    repository = await openRepository({
      storage: rememberingDeletes(temporary.storage, undone),
      providers: [temporary.provider],
      workers: 0,
    });
  });
  afterEach(() => temporary.remove());

  const cutPower = async (): Promise<Repository> => {
    for (const [key, bytes] of undone) await temporary.storage.putNew(key, bytes);
    return openRepository({ storage: temporary.storage, providers: [temporary.provider], workers: 0 });
  };

  test('a commit that was withdrawn does not stand beside the one that took its place', async () => {
    const writer = await repository.beginSnapshot({ encrypt: true });
    const stored = await writer.writeStream(pieces(randomBytes(300_000)));
    // Another one begins a round, and is cut off before it decides anything.
    await temporary.storage.putNew(roundName(1, 'condemned'), await condemnedNothing(temporary));
    const { backup } = await writer.commit(recordOf(writer, stored));
    const after = await cutPower();
    assert.equal((await temporary.storage.list('snapshots/')).length, 1);
    await after.forgetSnapshot(backup.id, { trashDays: 7, reason: 'test' });
    assert.deepEqual(await after.listSnapshots(), []);
  });

  test('an index that was made anew names no pack that is missing, so that backups store its chunks again', async () => {
    const bytes = randomBytes(300_000);
    await backUpBytes(repository, bytes);
    const [pack] = await temporary.storage.list('packs/');
    await rm(path.join(temporary.folder, pack!.key));
    await repository.rebuildIndex({});
    const after = await cutPower();
    const { id } = await backUpBytes(after, bytes);
    assert.ok((await readBytes(after, id)).equals(bytes));
  });
});

/** What a collector writes that begins the first round and takes nothing. */
async function condemnedNothing({ storage, provider }: TemporaryRepository): Promise<Buffer> {
  const config = await storage.get('config');
  const { keyring } = await openKeys(storage, decodeSettings(config), config, [provider]);
  return sealObject(keyring, encodeMetadata({ version: 1, packs: [] }), {
    kind: SEALED_KIND.condemned,
    name: roundName(1, 'condemned'),
    cipher: 1,
    codec: { name: 'raw', level: 0 },
  });
}

function rememberingDeletes(storage: Storage, undone: Map<string, Buffer>): Storage {
  return new Proxy(storage, {
    get: (target, name) => {
      if (name === 'delete')
        return async (key: string, options?: { durable: boolean }) => {
          const bytes = await target.get(key).catch(() => undefined);
          if (bytes !== undefined) undone.set(key, bytes);
          if (options?.durable === true) undone.delete(key);
          await target.delete(key, options);
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
