import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Repository } from '../src/core/ports/repository.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { assertSound, forget, NOW, packBytes } from './collection-rig.ts';
import { flip } from './flipped-bytes.ts';
import { backUpBytes, pieces, readBytes, recordOf, TemporaryRepository } from './temporary-repository.ts';

describe('a collection', () => {
  let temporary: TemporaryRepository;
  let repository: Repository;
  const opened: Repository[] = [];
  beforeEach(async () => {
    temporary = await TemporaryRepository.create();
    repository = temporary.repository;
  });
  afterEach(async () => {
    for (const other of opened.splice(0)) await other.close();
    await temporary.remove();
  });

  test('removes what only forgotten backups needed, and nothing else', async () => {
    const kept = randomBytes(700_000);
    const gone = randomBytes(700_000);
    const first = await backUpBytes(repository, kept);
    const second = await backUpBytes(repository, gone);
    assert.equal((await repository.collect(NOW)).outcome, 'nothing-to-do');
    await forget(repository, second.id);
    const before = await packBytes(temporary.storage);
    const wouldBe = await repository.collect({ dryRun: true });
    assert.equal(wouldBe.outcome, 'would-remove');
    assert.equal(await packBytes(temporary.storage), before);
    const report = await repository.collect(NOW);
    assert.equal(report.outcome, 'removed');
    assert.equal(report.bytesFreed, before - (await packBytes(temporary.storage)));
    assert.equal(wouldBe.bytesFreed, report.bytesFreed);
    assert.ok(report.bytesFreed > 690_000);
    assert.equal(report.trashExpired, 1);
    assert.ok((await readBytes(repository, first.id)).equals(kept));
    await assertSound(repository);
    await assert.rejects(repository.openSnapshot(second.id), { code: 'snapshot-missing' });
    assert.equal((await repository.collect(NOW)).outcome, 'nothing-to-do');
    // What was removed is stored again when it comes again.
    const again = await backUpBytes(repository, gone);
    assert.equal(again.statistics.newBytes, gone.length);
    assert.ok((await readBytes(repository, again.id)).equals(gone));
  });

  test('keeps what the trash holds until its time is over, and a backup can be brought back until then', async () => {
    const bytes = randomBytes(500_000);
    const other = await backUpBytes(repository, randomBytes(200_000));
    const { id } = await backUpBytes(repository, bytes);
    await forget(repository, id, 7);
    assert.equal((await repository.collect(NOW)).outcome, 'nothing-to-do');
    const [entry] = await repository.listTrash();
    assert.deepEqual([entry?.id, entry?.reason], [id, 'test']);
    await repository.undeleteSnapshot(id);
    assert.deepEqual(await repository.listTrash(), []);
    assert.deepEqual(await repository.listSnapshots(), [other.id, id]);
    assert.ok((await readBytes(repository, id)).equals(bytes));
    await assert.rejects(repository.undeleteSnapshot(id), { code: 'not-in-trash' });
    await forget(repository, id, 7);
    const later = new Date(Date.now() + 8 * 86_400_000);
    assert.equal((await repository.collect({ ...NOW, now: later })).trashExpired, 1);
    await assert.rejects(repository.undeleteSnapshot(id), { code: 'not-in-trash' });
  });

  test('frees at once what was to stay in the trash for no time, though the clock of the storage is behind', async () => {
    await backUpBytes(repository, randomBytes(100_000));
    const { id } = await backUpBytes(repository, randomBytes(500_000));
    await forget(repository, id);
    const behind = new Date(Date.now() - 60_000);
    const report = await repository.collect({ ...NOW, now: behind });
    assert.ok(report.bytesFreed > 490_000, `${report.bytesFreed} bytes freed`);
    assert.equal(report.trashExpired, 1);
  });

  test('what was changed of a backup stays with it through the trash', async () => {
    const bytes = randomBytes(100_000);
    const { id } = await backUpBytes(repository, bytes);
    const changed = { metadata: { tags: { team: 'payments' } }, held: true, expiresAt: '2030-01-01T00:00:00.000Z' };
    await repository.updateSnapshot(id, (backup) => ({ ...backup, ...changed }));
    await forget(repository, id, 7);
    await repository.undeleteSnapshot(id);
    const { metadata, held, expiresAt } = (await repository.openSnapshot(id)).record.backup;
    assert.deepEqual({ metadata, held, expiresAt }, changed);
    await repository.updateSnapshot(id, (backup) => ({ ...backup, held: false }));
    assert.equal((await repository.openSnapshot(id)).record.backup.held, false);
    assert.equal((await temporary.storage.list('updates/')).length, 1);
  });

  test('a backup that was brought back outlives the forgetting that it overtook', async () => {
    const bytes = randomBytes(100_000);
    const { id } = await backUpBytes(repository, bytes);
    const first = await temporary.storage.get(`snapshots/${id}`);
    await forget(repository, id, 7);
    // As if the forgetting had come no further than to the trash, and went on after the backup was brought back.
    await temporary.storage.putNew(`snapshots/${id}`, first);
    assert.deepEqual(await repository.listSnapshots(), []);
    await repository.undeleteSnapshot(id);
    await temporary.storage.delete(`snapshots/${id}`);
    assert.deepEqual(await repository.listSnapshots(), [id]);
    assert.ok((await readBytes(repository, id)).equals(bytes));
    await forget(repository, id, 7);
    assert.deepEqual(await repository.listSnapshots(), []);
    assert.deepEqual(
      (await repository.listTrash()).map((entry) => entry.id),
      [id],
    );
  });

  test('opening, changing and forgetting a backup list no other ones, nor read again what collections decided', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 4; count++) ids.push((await backUpBytes(repository, randomBytes(100_000))).id);
    await forget(repository, ids[0]!);
    await repository.collect(NOW);
    const asked: string[] = [];
    const noting = new Proxy(temporary.storage, {
      get(storage, name) {
        const value = Reflect.get(storage, name);
        if (name !== 'list' && name !== 'get') return typeof value === 'function' ? value.bind(storage) : value;
        return (key: string, options?: { sizes: boolean }) => {
          asked.push(`${name} ${key}`);
          return storage[name](key, options as never);
        };
      },
    });
    const other = await openRepository({ storage: noting, providers: [temporary.provider], workers: 0 });
    await other.listSnapshots();
    asked.length = 0;
    for (const id of ids.slice(1)) {
      await (await other.openSnapshot(id)).close();
      await other.updateSnapshot(id, (backup) => ({ ...backup, held: false }));
      await forget(other, id, 7);
    }
    assert.deepEqual(
      asked.filter((each) => /^(list (snapshots|trash)\/|get gc\/)/.test(each)),
      [],
    );
  });

  test('a snapshot that does not open hides no other one, and can be forgotten', async () => {
    const first = await backUpBytes(repository, randomBytes(100_000));
    const gone = await backUpBytes(repository, randomBytes(100_000));
    await forget(repository, gone.id);
    await repository.collect(NOW);
    const later = await backUpBytes(repository, randomBytes(100_000));
    await flip(temporary.folder, `snapshots/${later.id}`, 80);
    assert.deepEqual(await repository.listSnapshots(), [first.id, later.id]);
    await assert.rejects(repository.openSnapshot(later.id), { code: 'object-damaged' });
    await forget(repository, later.id, 7);
    assert.deepEqual(await repository.listSnapshots(), [first.id]);
  });

  test('finishes a forgetting that was interrupted', async () => {
    const { id } = await backUpBytes(repository, randomBytes(100_000));
    await backUpBytes(repository, randomBytes(100_000));
    const first = await temporary.storage.get(`snapshots/${id}`);
    await forget(repository, id);
    await temporary.storage.putNew(`snapshots/${id}`, first);
    assert.equal((await repository.collect(NOW)).trashExpired, 1);
    const left = [...(await temporary.storage.list('snapshots/')), ...(await temporary.storage.list('trash/'))];
    assert.ok(!left.some(({ key }) => key.endsWith(id)));
    assert.equal((await repository.collect(NOW)).outcome, 'removed');
    await assertSound(repository);
  });

  test('a backup whose chunks a collection condemned meanwhile comes back whole or not at all', async () => {
    const bytes = randomBytes(500_000);
    await backUpBytes(repository, randomBytes(200_000));
    const { id } = await backUpBytes(repository, bytes);
    await forget(repository, id);
    const [entry] = await temporary.storage.list('trash/');
    const trash = await temporary.storage.get(entry?.key ?? '');
    await repository.collect(NOW);
    // As if the collector had come no further than to the packs.
    await temporary.storage.putNew(entry?.key ?? '', trash);
    await assert.rejects(repository.undeleteSnapshot(id), { code: 'backup-collected' });
    assert.ok(!(await repository.listSnapshots()).includes(id));
  });

  test('rewrites packs of which little is needed', async () => {
    const shared = randomBytes(60_000);
    const { id } = await backUpBytes(repository, Buffer.concat([shared, randomBytes(900_000)]));
    const small = await backUpBytes(repository, shared);
    await forget(repository, id);
    assert.equal((await repository.collect({ ...NOW, repackBelow: 0 })).packsRepacked, 0);
    const report = await repository.collect(NOW);
    assert.ok(report.packsRepacked >= 1);
    assert.ok((await packBytes(temporary.storage)) < 150_000);
    assert.ok((await readBytes(repository, small.id)).equals(shared));
    await assertSound(repository);
  });

  test('never lets an encrypted backup depend on a plain pack, nor encrypts for a plain one', async () => {
    const shared = randomBytes(60_000);
    const plainOnly = randomBytes(60_000);
    const plain = await backUpBytes(repository, Buffer.concat([shared, plainOnly, randomBytes(900_000)]), {
      encrypt: false,
    });
    const plainKept = await backUpBytes(repository, plainOnly, { encrypt: false });
    const encrypted = await backUpBytes(repository, shared);
    await forget(repository, plain.id);
    await repository.collect(NOW);
    await forget(repository, plainKept.id);
    await repository.collect(NOW);
    assert.ok((await readBytes(repository, encrypted.id)).equals(shared));
    for (const { key } of await temporary.storage.list('packs/'))
      assert.notEqual((await temporary.storage.get(key))[6], 0, 'a plain pack is left');
    await assertSound(repository);
  });

  test('spares a backup under way, which commits without doing anything twice', async () => {
    await backUpBytes(repository, randomBytes(100_000));
    const bytes = randomBytes(2_000_000);
    const other = await temporary.openAgain();
    opened.push(other);
    const writer = await other.beginSnapshot({ encrypt: true });
    const stored = await writer.writeStream(pieces(bytes));
    const before = await packBytes(temporary.storage);
    assert.ok(before > 500_000);
    assert.equal((await repository.collect(NOW)).outcome, 'nothing-to-do');
    const { backup } = await writer.commit(recordOf(writer, stored));
    assert.ok((await readBytes(repository, backup.id)).equals(bytes));
    assert.equal((await repository.collect(NOW)).outcome, 'nothing-to-do');
  });

  test('removes what a broken-off backup left', async () => {
    await backUpBytes(repository, randomBytes(100_000));
    const writer = await repository.beginSnapshot({ encrypt: true });
    await writer.writeStream(pieces(randomBytes(900_000)));
    await writer.abort();
    const report = await repository.collect(NOW);
    assert.ok(report.orphanPacks >= 1);
    assert.ok((await packBytes(temporary.storage)) < 120_000);
    await assertSound(repository);
  });

  test('refuses to empty a repository whose backups vanished, unless that is meant', async () => {
    const ids = [];
    for (let index = 0; index < 4; index++) ids.push((await backUpBytes(repository, randomBytes(100_000))).id);
    await forget(repository, ids[0] as string);
    await repository.collect(NOW);
    for (const id of ids.slice(1)) await temporary.storage.delete(`snapshots/${id}`);
    const before = await packBytes(temporary.storage);
    await assert.rejects(repository.collect(NOW), { code: 'collection-would-empty-repository' });
    await backUpBytes(repository, randomBytes(1000));
    await assert.rejects(repository.collect(NOW), { code: 'snapshots-vanished' });
    assert.ok((await packBytes(temporary.storage)) >= before);
    assert.equal((await repository.collect({ ...NOW, allowEmpty: true })).outcome, 'removed');
    assert.ok((await packBytes(temporary.storage)) < 10_000);
  });

  test('stops at a tree or list that cannot be read, rather than take what it names for garbage', async () => {
    const { id } = await backUpBytes(repository, randomBytes(30_000_000));
    const other = await backUpBytes(repository, randomBytes(100_000));
    await forget(repository, other.id);
    for (const { key } of await temporary.storage.list('packs/'))
      if ((await temporary.storage.get(key))[5] === 2) await temporary.storage.delete(key);
    const fresh = await temporary.openAgain();
    opened.push(fresh);
    await assert.rejects(fresh.collect(NOW), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'collection-stopped-by-damage');
      assert.ok(error.message.includes(id));
      return true;
    });
  });

  test('merges many small index segments into few, and every chunk is still found', async () => {
    const backups: { id: string; bytes: Buffer }[] = [];
    for (let index = 0; index < 12; index++) {
      const bytes = randomBytes(50_000);
      backups.push({ id: (await backUpBytes(repository, bytes)).id, bytes });
    }
    const chunks = (await repository.statistics()).chunks;
    const report = await repository.collect(NOW);
    assert.ok(report.segmentsMerged >= 12);
    assert.equal((await temporary.storage.list('index/')).length, 1);
    assert.equal((await repository.statistics()).chunks, chunks);
    const fresh = await temporary.openAgain();
    opened.push(fresh);
    for (const { id, bytes } of backups) {
      assert.ok((await readBytes(repository, id)).equals(bytes));
      assert.ok((await readBytes(fresh, id)).equals(bytes));
    }
  });

  test('a restore that was planned before its packs were rewritten goes on', async () => {
    const bytes = randomBytes(3_000_000);
    const gaps = Buffer.concat(
      Array.from({ length: 10 }, (_, n) =>
        Buffer.concat([bytes.subarray(n * 300_000, (n + 1) * 300_000), randomBytes(300_000)]),
      ),
    );
    const wide = await backUpBytes(repository, gaps);
    const narrow = await backUpBytes(repository, bytes);
    const other = await temporary.openAgain();
    opened.push(other);
    const reader = await other.openSnapshot(narrow.id);
    const segments = [];
    for await (const segment of reader.segments(reader.record.root.content)) segments.push(segment);
    const wanted = segments.flatMap(({ id }, tag) => (id === null ? [] : [{ id, tag }]));
    const planned = await reader.plan(wanted);
    const parts: Buffer[] = [];
    const reading = reader.read()[Symbol.asyncIterator]();
    const first = await reading.next();
    if (first.done !== true) parts.push(Buffer.from(first.value));
    await forget(repository, wide.id);
    const report = await repository.collect({ ...NOW, repackBelow: 0.95 });
    assert.ok(report.packsRepacked > 3);
    for (let next = await reading.next(); next.done !== true; next = await reading.next())
      parts.push(Buffer.from(next.value));
    assert.ok(Buffer.concat(parts).equals(bytes));
    const module = new URL('./collection-reading-task.ts', import.meta.url).href;
    const tasks = reader.tasks<unknown, number>({ module, options: {} });
    let read = 0;
    for (const range of planned) read += await tasks.run(range);
    assert.equal(read, bytes.length);
    await reader.close();
  });

  test('rounds are folded, so that `gc/` does not grow, and the rule of the newest seal stands', async () => {
    for (let index = 0; index < 4; index++) {
      await backUpBytes(repository, randomBytes(1000));
      const { id } = await backUpBytes(repository, randomBytes(100_000));
      await forget(repository, id);
      assert.equal((await repository.collect(NOW)).round, index + 1);
    }
    const left = (await temporary.storage.list('gc/')).map(({ key }) => key).sort();
    assert.deepEqual(left, ['gc/0000000004/condemned', 'gc/0000000004/done', 'gc/0000000004/resolution']);
    assert.equal((await repository.listSnapshots()).length, 4);
  });
});
