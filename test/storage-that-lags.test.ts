import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PendingObject, Storage } from '../src/core/ports/storage.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import { assertSameTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';
import { backUpBytes, readBytes } from './temporary-repository.ts';

const MEBIBYTE = 1024 * 1024;
const SIZES = { small: 100_000, segment: MEBIBYTE, search: MEBIBYTE / 2, restoreTask: MEBIBYTE };

test('a storage that lags behind is waited for in the middle of large files, of batches and of streams', async (context) => {
  const rig = await FilesRig.create();
  context.after(() => rig.remove());
  const slow = new SlowCommits(rig.temporary.storage);
  const repository = await openRepository({ storage: slow.storage, providers: [rig.temporary.provider], workers: 0 });
  context.after(() => repository.close());
  const service = createFilesService(SIZES);

  const source = await rig.newFolder('source');
  for (const size of [4 * MEBIBYTE + 1, 2 * MEBIBYTE]) writeFileSync(`${source}/large-${size}`, randomBytes(size));
  for (let n = 0; n < 30; n++) writeFileSync(`${source}/small-${n}`, randomBytes(90_000));
  const { backup } = await rig.backUp({ paths: [source] }, { repository, service });
  assert.ok(slow.commits > 30, `${slow.commits} packs`);
  const bytes = randomBytes(2 * MEBIBYTE);
  const { id } = await backUpBytes(repository, bytes);
  // Each that waited may have stored one piece more.
  assert.ok(slow.mostUnderWay <= 8, `${slow.mostUnderWay} packs at once`);

  await rig.restore(backup, { target: `${rig.folder}/target` }, { service });
  assertSameTree(`${rig.folder}/target/source`, source);
  assert.ok((await readBytes(rig.repository, id)).equals(bytes));
});

/** A storage that is ready while one object is on its way at most, and takes its time for each. */
class SlowCommits {
  readonly storage: Storage;
  commits = 0;
  mostUnderWay = 0;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(storage: Storage) {
    this.storage = {
      kind: storage.kind,
      location: storage.location,
      reopen: storage.reopen,
      putNew: (key, bytes) => storage.putNew(key, bytes),
      beginNew: () => this.#lagging(storage.beginNew()),
      replace: (key, bytes) => storage.replace(key, bytes),
      get: (key) => storage.get(key),
      getRange: (key, offset, length, buffer) => storage.getRange(key, offset, length, buffer),
      list: (prefix, options) => storage.list(prefix, options),
      delete: (key, options) => storage.delete(key, options),
      serverTime: () => storage.serverTime(),
      close: () => storage.close(),
      ready: async () => {
        while (this.#underWay.size > 1) await Promise.race(this.#underWay);
      },
    };
  }

  #lagging(pending: PendingObject): PendingObject {
    return {
      write: (bytes, onFree) => pending.write(bytes, onFree),
      abort: () => pending.abort(),
      commit: (key) => {
        const committing = sleep(2)
          .then(() => pending.commit(key))
          .finally(() => this.#underWay.delete(committing));
        this.#underWay.add(committing);
        this.commits++;
        this.mostUnderWay = Math.max(this.mostUnderWay, this.#underWay.size);
        return committing;
      },
    };
  }
}
