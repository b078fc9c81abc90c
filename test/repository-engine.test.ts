import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Repository } from '../src/core/ports/repository.ts';
import { backUpBytes, pieces, readBytes, recordOf, TemporaryRepository } from './temporary-repository.ts';

describe('the repository engine', () => {
  let temporary: TemporaryRepository;
  let repository: Repository;
  before(async () => {
    temporary = await TemporaryRepository.create();
    repository = temporary.repository;
  });
  after(() => temporary.remove());

  for (const length of [0, 1, 1024, 1025, 65_536, 3_000_000]) {
    test(`gives back ${length} bytes as they were, random or repetitive, encrypted or not`, async () => {
      for (const bytes of [randomBytes(length), Buffer.alloc(length, 'All work and no play makes Jack a dull boy. ')]) {
        for (const encrypt of [true, false]) {
          const backup = await backUpBytes(repository, bytes, { encrypt });
          assert.ok((await readBytes(repository, backup.id)).equals(bytes));
        }
      }
    });
  }

  test('gives any range of a content', async () => {
    const bytes = randomBytes(500_000);
    const { id } = await backUpBytes(repository, bytes);
    const reader = await repository.openSnapshot(id);
    for (const [offset, length] of [
      [0, 1],
      [499_999, 1],
      [123_456, 200_000],
      [0, 500_000],
      [65_000, 0],
    ] as const) {
      const parts: Uint8Array[] = [];
      for await (const part of reader.read(undefined, { offset, length })) parts.push(Uint8Array.from(part));
      assert.ok(Buffer.concat(parts).equals(bytes.subarray(offset, offset + length)), `${offset}+${length}`);
    }
    await reader.close();
  });

  test('a reader that was closed begins no more work, which nobody would end', async () => {
    const { id } = await backUpBytes(repository, randomBytes(3_000_000));
    const reader = await repository.openSnapshot(id);
    await reader.close();
    const runner = reader.tasks({ module: 'data:text/javascript,', options: {} });
    await assert.rejects(runner.run({}), { kind: 'cancelled', code: 'snapshot-reader-closed' });
    await assert.rejects(Array.fromAsync(reader.read()), { kind: 'cancelled', code: 'snapshot-reader-closed' });
  });

  test('stores the same bytes once, also for another process', async () => {
    const bytes = randomBytes(1_000_000);
    await backUpBytes(repository, bytes);
    const again = await backUpBytes(repository, bytes);
    assert.equal(again.statistics.newBytes, 0);
    const other = await temporary.openAgain();
    try {
      assert.equal((await backUpBytes(other, bytes)).statistics.newBytes, 0);
    } finally {
      await other.close();
    }
  });

  test('stores only what is new around an insertion', async () => {
    const bytes = randomBytes(2_000_000);
    await backUpBytes(repository, bytes);
    const edited = Buffer.concat([bytes.subarray(0, 1000), Buffer.from('inserted'), bytes.subarray(1000)]);
    const backup = await backUpBytes(repository, edited);
    assert.ok(backup.statistics.newBytes < 150_000, `${backup.statistics.newBytes} bytes were new`);
  });

  test('an encrypted backup never relies on a chunk that lies in the clear', async () => {
    const bytes = randomBytes(300_000);
    await backUpBytes(repository, bytes, { encrypt: false });
    const encrypted = await backUpBytes(repository, bytes, { encrypt: true });
    assert.equal(encrypted.statistics.newBytes, bytes.length);
    const plainAgain = await backUpBytes(repository, bytes, { encrypt: false });
    assert.equal(plainAgain.statistics.newBytes, 0);
  });

  test('nothing of an encrypted backup can be read in the storage, but a plain one can', async () => {
    const secret = Buffer.from('The-needle-in-the-haystack-'.repeat(20));
    const found = async (): Promise<boolean> => {
      for (const { key } of await temporary.storage.list('packs/'))
        if ((await temporary.storage.get(key)).includes('needle-in-the')) return true;
      for (const { key } of await temporary.storage.list('snapshots/'))
        if ((await temporary.storage.get(key)).includes('needle-in-the')) return true;
      return false;
    };
    const bytes = Buffer.concat([randomBytes(20_000), secret, randomBytes(20_000)]);
    await backUpBytes(repository, bytes);
    await backUpBytes(repository, secret);
    assert.equal(await found(), false);
    await backUpBytes(repository, Buffer.concat([secret.subarray(0, 60), randomBytes(20_000)]), { encrypt: false });
    assert.equal(await found(), true);
  });

  test('a source that breaks leaves no backup and no half-written file', async () => {
    const before = await repository.listSnapshots();
    const writer = await repository.beginSnapshot({ encrypt: true });
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield* pieces(randomBytes(9_000_000), 1_000_000);
      throw new Error('connection reset');
    };
    await assert.rejects(writer.writeStream(broken()), /connection reset/);
    await writer.abort();
    assert.deepEqual(await repository.listSnapshots(), before);
    assert.deepEqual(await readdir(path.join(temporary.folder, 'tmp')), []);
    assert.deepEqual(await readdir(path.join(temporary.folder, 'sessions')), []);
  });

  test('an aborted signal ends a backup without a trace', async () => {
    const controller = new AbortController();
    const writer = await repository.beginSnapshot({ encrypt: true, signal: controller.signal });
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 100; count++) {
        yield randomBytes(500_000);
        if (count === 30) controller.abort();
      }
    };
    await assert.rejects(writer.writeStream(source()), { name: 'AbortError' });
    await writer.abort();
    await assert.rejects(
      writer.commit(
        recordOf(writer, {
          length: 0,
          sha256: '',
          root: { kind: 'stream', length: 0, content: { inline: new Uint8Array() } },
        }),
      ),
      { code: 'snapshot-writer-closed' },
    );
  });

  test('many writers at once, in two processes’ stead, lose nothing', async () => {
    const other = await temporary.openAgain();
    try {
      const shared = randomBytes(400_000);
      const inputs = Array.from({ length: 8 }, (_, index) => Buffer.concat([shared, randomBytes(50_000 + index)]));
      const backups = await Promise.all(
        inputs.map((bytes, index) => backUpBytes(index % 2 === 0 ? repository : other, bytes)),
      );
      for (const [index, backup] of backups.entries())
        assert.ok((await readBytes(repository, backup.id)).equals(inputs[index]!));
    } finally {
      await other.close();
    }
  });

  test('a forgotten snapshot goes to the trash and out of every listing', async () => {
    const { id } = await backUpBytes(repository, randomBytes(10));
    await repository.forgetSnapshot(id, { trashDays: 7, reason: 'test' });
    assert.ok(!(await repository.listSnapshots()).includes(id));
    await assert.rejects(repository.openSnapshot(id), { code: 'snapshot-missing' });
    assert.ok((await temporary.storage.list('trash/')).some((object) => object.key === `trash/${id}`));
    await assert.rejects(repository.forgetSnapshot(id, { trashDays: 7, reason: 'test' }), { code: 'snapshot-missing' });
  });

  test('a snapshot whose forgetting was cut off half-way counts as forgotten', async () => {
    const { id } = await backUpBytes(repository, randomBytes(10));
    const bytes = await temporary.storage.get(`snapshots/${id}`);
    await repository.forgetSnapshot(id, { trashDays: 7, reason: 'test' });
    await temporary.storage.putNew(`snapshots/${id}`, bytes);
    await assert.rejects(repository.openSnapshot(id), { code: 'snapshot-missing' });
    assert.ok(!(await repository.listSnapshots()).includes(id));
  });

  test('what changes of a backup is found again by another process', async () => {
    const { id } = await backUpBytes(repository, randomBytes(10));
    await repository.updateSnapshot(id, (backup) => ({ ...backup, held: true, expiresAt: '2030-01-01T00:00:00.000Z' }));
    await repository.updateSnapshot(id, (backup) => ({ ...backup, metadata: { tags: { a: 'b' } } }));
    const other = await temporary.openAgain();
    const { backup } = (await other.openSnapshot(id)).record;
    await other.close();
    assert.equal(backup.held, true);
    assert.equal(backup.expiresAt, '2030-01-01T00:00:00.000Z');
    assert.deepEqual(backup.metadata.tags, { a: 'b' });
  });

  test('all levels of the check find nothing wrong', async () => {
    const report = await repository.check({ level: 4 });
    assert.deepEqual(
      report.findings.filter((finding) => finding.severity !== 'warning'),
      [],
    );
    assert.ok(report.checked.chunks > 100);
  });

  test('an index rebuilt from footers alone serves every backup', async () => {
    const bytes = randomBytes(700_000);
    const { id } = await backUpBytes(repository, bytes);
    for (const { key } of await temporary.storage.list('index/')) await temporary.storage.delete(key);
    const fresh = await temporary.openAgain();
    try {
      await assert.rejects(readBytes(fresh, id), { code: 'chunk-missing' });
      const report = await fresh.rebuildIndex({});
      assert.deepEqual(report.findings, []);
      assert.ok((await readBytes(fresh, id)).equals(bytes));
      assert.equal((await fresh.check({ level: 4 })).findings.length, 0);
    } finally {
      await fresh.close();
    }
  });
});
