import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Repository } from '../src/core/ports/repository.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { flip } from './flipped-bytes.ts';
import { backUpBytes, pieces, readBytes, recordOf, TemporaryRepository } from './temporary-repository.ts';

const ALL = { dryRun: false, rewriteOldKeys: { bytesPerRound: 1e9, all: true } };

describe('after a rotation of the key, a prune that rewrites', () => {
  let temporary: TemporaryRepository;
  let repository: Repository;
  beforeEach(async () => {
    temporary = await TemporaryRepository.create();
    repository = temporary.repository;
  });
  afterEach(() => temporary.remove());

  test('leaves nothing that somebody with the old key, and copies of all key objects, can read', async () => {
    const bytes = randomBytes(900_000);
    const large = await backUpBytes(repository, bytes);
    const small = await backUpBytes(repository, Buffer.from('lies in its snapshot'));
    const forgotten = await backUpBytes(repository, randomBytes(200_000));
    await repository.updateSnapshot(small.id, (backup) => ({ ...backup, held: true }));
    await repository.forgetSnapshot(forgotten.id, { trashDays: 7, reason: 'test' });
    const gone = await backUpBytes(repository, randomBytes(200_000));
    await repository.forgetSnapshot(gone.id, { trashDays: 0, reason: 'test' });
    assert.equal((await repository.collect({ dryRun: false })).outcome, 'removed');
    await repository.check({ level: 4 });
    const thief = await StolenKeys.take(temporary);
    assert.ok((await thief.read(large.id)).equals(bytes), 'what was stolen opens the repository as it was');
    await repository.keys.rotate([temporary.provider], { dropOthers: false });
    assert.ok((await thief.read(large.id)).equals(bytes), 'and as a rotation alone leaves it');
    const before = await underFirstKey(temporary.storage);
    for (const kind of ['packs/', 'index/', 'snapshots/', 'updates/', 'trash/', 'gc/', 'verify/'])
      assert.ok(
        before.some((key) => key.startsWith(kind)),
        kind,
      );

    const { oldKeyPacks, sealedAgain, outcome } = await repository.collect(ALL);
    assert.deepEqual([outcome, oldKeyPacks, sealedAgain], ['removed', 0, 4]);

    assert.deepEqual(await underFirstKey(temporary.storage), []);
    await assert.rejects(thief.read(large.id), { code: 'key-epoch-unknown' });
    assert.ok((await readBytes(repository, large.id)).equals(bytes));
    assert.ok((await repository.openSnapshot(small.id)).record.backup.held);
    await repository.undeleteSnapshot(forgotten.id);
    assert.deepEqual((await repository.check({ level: 4 })).findings, []);
    assert.equal((await repository.statistics()).oldKeyBytes, 0);
    assert.equal((await repository.collect(ALL)).sealedAgain, 0);
  });

  test('says how many damaged objects in quarantine the old key still opens, until they are deleted', async () => {
    const { id } = await backUpBytes(repository, randomBytes(200_000));
    const lost = await backUpBytes(repository, randomBytes(2000));
    await flip(temporary.folder, `snapshots/${lost.id}`, 90);
    await repository.repair({ dryRun: false });
    assert.equal((await repository.collect(ALL)).oldKeyQuarantined, 0);
    await repository.keys.rotate([temporary.provider], { dropOthers: false });
    assert.equal((await repository.collect({ dryRun: true })).oldKeyQuarantined, 1);
    assert.equal((await repository.collect(ALL)).oldKeyQuarantined, 1);
    for (const { key } of await temporary.storage.list('quarantine/')) await temporary.storage.delete(key);
    assert.equal((await repository.collect(ALL)).oldKeyQuarantined, 0);
    assert.equal((await readBytes(repository, id)).length, 200_000);
  });

  test('goes round by round, and a prune that rewrites a part each time comes to the end as well', async () => {
    const bytes = randomBytes(2_000_000);
    const { id } = await backUpBytes(repository, bytes);
    const packs = (await temporary.storage.list('packs/')).length;
    assert.ok(packs >= 6);
    await repository.keys.rotate([temporary.provider], { dropOthers: false });
    const part = { dryRun: false, rewriteOldKeys: { bytesPerRound: 600_000, all: false } };
    const first = await repository.collect(part);
    assert.ok(first.oldKeyPacks > 0 && first.oldKeyPacks < packs);
    let left = first.oldKeyPacks;
    for (let rounds = 0; left > 0; rounds++) {
      assert.ok(rounds < packs);
      const { oldKeyPacks } = await repository.collect(part);
      assert.ok(oldKeyPacks < left);
      left = oldKeyPacks;
    }
    await repository.keys.rotate([temporary.provider], { dropOthers: false });
    const all = await repository.collect({ dryRun: false, rewriteOldKeys: { bytesPerRound: 600_000, all: true } });
    assert.equal(all.oldKeyPacks, 0);
    assert.ok(all.packsRepacked >= packs - 1);
    assert.ok((await readBytes(repository, id)).equals(bytes));
  });

  test('does not disturb a backup under way, a change or a restore', async () => {
    const bytes = randomBytes(700_000);
    const { id } = await backUpBytes(repository, bytes);
    const reader = await repository.openSnapshot(id);
    const writer = await repository.beginSnapshot({ encrypt: true });
    const stored = await writer.writeStream(pieces(bytes));
    const other = await temporary.openAgain();
    try {
      await other.keys.rotate([temporary.provider], { dropOthers: false });
      const [report] = await Promise.all([
        other.collect(ALL),
        repository.updateSnapshot(id, (backup) => ({ ...backup, held: true })),
      ]);
      assert.equal(report.outcome, 'removed');
      const { backup } = await writer.commit(recordOf(writer, stored));
      assert.ok((await readBytes(other, backup.id)).equals(bytes));
      assert.ok((await other.openSnapshot(id)).record.backup.held);
      await other.collect(ALL);
      assert.ok((await readBytes(repository, backup.id)).equals(bytes));
      assert.deepEqual(await other.listSnapshots(), [id, backup.id].sort());
    } finally {
      await reader.close();
      await other.close();
    }
  });
});

/** Copies of all key objects as they were, and the key file of then: laid over what is in the storage now. */
class StolenKeys {
  readonly #from: TemporaryRepository;
  readonly #keys: ReadonlyMap<string, Buffer>;

  private constructor(from: TemporaryRepository, keys: ReadonlyMap<string, Buffer>) {
    this.#from = from;
    this.#keys = keys;
  }

  static async take(from: TemporaryRepository): Promise<StolenKeys> {
    const keys = new Map<string, Buffer>();
    for (const prefix of ['keys/', 'keyring/'])
      for (const { key } of await from.storage.list(prefix)) keys.set(key, await from.storage.get(key));
    assert.equal(keys.size, 2);
    return new StolenKeys(from, keys);
  }

  /** As the thief, with the repository as it is now. */
  async read(id: string): Promise<Buffer> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-thief-'));
    try {
      await cp(this.#from.folder, folder, {
        recursive: true,
        filter: (file) => !isKey(path.relative(this.#from.folder, file)),
      });
      const storage = await openStorage({ folder });
      for (const [key, bytes] of this.#keys) await storage.putNew(key, bytes);
      const repository = await openRepository({ storage, providers: [this.#from.provider], workers: 0 });
      try {
        return await readBytes(repository, id);
      } finally {
        await repository.close();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function isKey(name: string): boolean {
  return /^(keys|keyring)(\/|$)/.test(name);
}

/** Names of packs and sealed objects under the first key. */
async function underFirstKey(storage: Storage): Promise<string[]> {
  const found: string[] = [];
  for (const prefix of ['packs/', 'index/', 'snapshots/', 'updates/', 'trash/', 'gc/', 'verify/', 'sessions/'])
    for (const { key } of await storage.list(prefix)) if ((await storage.getRange(key, 7, 1))[0] === 0) found.push(key);
  return found;
}
