import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { assertSound, forget, NOW } from './collection-rig.ts';
import { type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';
import { makeStrange, STRANGE_PLACES } from './strange-snapshot.ts';
import { backUpBytes, readBytes, recordOf, TemporaryRepository } from './temporary-repository.ts';

describe('a stream that is backed up again', () => {
  let place: { folder: string; remove(): Promise<void> };
  let managed: ManagedApplication;
  before(async () => {
    place = await temporaryFolder();
    managed = await openManagedApplication(place.folder);
  });
  after(async () => {
    await managed.application.close();
    await place.remove();
  });

  const backUp = (bytes: Buffer) =>
    managed.application.backups.createPosted({
      resourceId: 'dump',
      service: 'stream',
      input: inPieces(bytes),
      createdBy: 'test',
    });

  test('adds what is new of it alone, and each time comes back as it was', async () => {
    const first = randomBytes(12_000_000);
    const inserted = Buffer.concat([first.subarray(0, 5_000_000), randomBytes(3000), first.subarray(5_000_000)]);
    const grown = Buffer.concat([inserted, randomBytes(3_000_000)]);
    const shorter = inserted.subarray(0, 11_000_001);
    const added: number[] = [];
    for (const bytes of [first, first, inserted, grown, shorter]) {
      const backup = await backUp(bytes);
      added.push(backup.statistics.newBytes);
      assert.ok((await contentOf(backup.id)).equals(bytes));
    }
    const [all, none, ofInsertion, ofGrowth, ofCut] = added as [number, number, number, number, number];
    assert.equal(all, first.length);
    assert.equal(none, 0);
    assert.ok(ofInsertion > 0 && ofInsertion <= 2 * LONGEST_CHUNK, `${ofInsertion}`);
    assert.ok(ofGrowth >= 3_000_000 && ofGrowth <= 3_000_000 + LONGEST_CHUNK, `${ofGrowth}`);
    assert.ok(ofCut <= LONGEST_CHUNK, `${ofCut}`);
  });

  test('is backed up where the latest backup was damaged', async () => {
    const bytes = randomBytes(5_000_000);
    const { id } = await backUp(bytes);
    const objects = await managed.storage.list('snapshots/');
    for (const { key } of objects) if (key.includes(id)) await managed.storage.delete(key);
    const again = await backUp(bytes);
    assert.equal(again.statistics.newBytes, 0);
    assert.ok((await contentOf(again.id)).equals(bytes));
  });

  test('is backed up where the latest backup seems to be by a newer version or sealed with an unknown key', async () => {
    const bytes = randomBytes(3_000_000);
    for (const place of STRANGE_PLACES) {
      const { id } = await backUp(bytes);
      await makeStrange(managed.storage, id, place);
      await assert.rejects(managed.repository.openSnapshot(id));
      const again = await backUp(bytes);
      assert.equal(again.statistics.newBytes, 0);
      assert.ok((await contentOf(again.id)).equals(bytes));
    }
  });

  test('keeps of each chunk its id alone in memory, whether it was expected or is new', async () => {
    const bytes = randomBytes(20_000_000);
    const before = await managed.repository.openSnapshot((await backUp(bytes)).id);
    const writer = await managed.repository.beginSnapshot({ encrypt: true });
    const inserted = Buffer.concat([randomBytes(6_000_000), bytes]);
    const { root } = await writer.writeStream(inPieces(inserted), {
      expected: before.segments(before.record.root.content),
    });
    await writer.abort();
    await before.close();
    assert.ok('segments' in root.content);
    const memory = root.content.segments.map(({ id }) => id?.buffer.byteLength);
    assert.deepEqual(new Set(memory), new Set([32]));
  });

  async function contentOf(id: string): Promise<Buffer> {
    const reader = await managed.repository.openSnapshot(id);
    try {
      return Buffer.concat(await Array.fromAsync(reader.read()));
    } finally {
      await reader.close();
    }
  }
});

test('a stream whose earlier backup is collected before its first byte comes is whole, and refused where that happens later', async (context) => {
  const temporary = await TemporaryRepository.create();
  context.after(() => temporary.remove());
  const { repository } = temporary;
  const bytes = randomBytes(2_000_000);
  await backUpBytes(repository, randomBytes(100_000));
  for (const lostAt of [0, 1_000_000]) {
    const { id } = await backUpBytes(repository, bytes);
    const before = await repository.openSnapshot(id);
    const writer = await repository.beginSnapshot({ encrypt: true });
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 100_000) {
        if (at === lostAt) await forget(repository, id);
        if (at === lostAt) assert.equal((await repository.collect(NOW)).outcome, 'removed');
        yield bytes.subarray(at, at + 100_000);
      }
    }
    const expected = before.segments(before.record.root.content);
    const stored = await writer.writeStream(source(), { expected });
    const committed = writer.commit(recordOf(writer, stored));
    if (lostAt === 0) {
      const { backup } = await committed;
      assert.ok((await readBytes(repository, backup.id)).equals(bytes));
      await forget(repository, backup.id);
      await repository.collect(NOW);
    } else {
      await assert.rejects(committed, { code: 'collected-meanwhile' });
      await writer.abort();
    }
    await before.close();
    await assertSound(repository);
  }
});

const LONGEST_CHUNK = 4 * 1024 * 1024;

async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}
