import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { flip } from './flipped-bytes.ts';
import { backUpBytes, TemporaryRepository } from './temporary-repository.ts';

/** Checks with a budget, and the ledger of what they verified. */
describe('scrubbing', () => {
  let temporary: TemporaryRepository;
  before(async () => {
    temporary = await TemporaryRepository.create();
    for (let count = 0; count < 3; count++) await backUpBytes(temporary.repository, randomBytes(600_000));
  });
  after(() => temporary.remove());

  test('checks with a small budget come round to every pack, and each says how far they are', async () => {
    const { repository } = temporary;
    const packs = (await temporary.storage.list('packs/')).length;
    assert.ok(packs >= 4);
    let before = 0;
    let checks = 0;
    for (let read = 0; read < packs; checks++) {
      const { checked, verification } = await repository.check({ level: 3, budget: { maxFraction: 0.3 } });
      assert.ok(checked.packs >= 1 && checked.packs < packs);
      read += checked.packs;
      assert.ok(verification!.verifiedFraction > before, 'never verified packs come first');
      before = verification!.verifiedFraction;
    }
    assert.ok(checks >= 3);
    assert.equal(before, 1);
    const none = await repository.check({ level: 3, budget: { maxAgeMilliseconds: 3_600_000 } });
    assert.equal(none.checked.packs, 0, 'nothing is due within an hour');
    assert.equal(none.verification!.unverifiedPacks, 0);
    assert.ok(Date.parse(none.verification!.oldestVerification!) <= Date.now());
  });

  test('a check without a budget reads everything and notes it, for other processes too', async () => {
    await temporary.repository.check({ level: 4 });
    const other = await temporary.openAgain();
    try {
      const { verification } = await other.check({ level: 4, budget: { maxAgeMilliseconds: 3_600_000 } });
      assert.deepEqual([verification!.level, verification!.verifiedFraction], [4, 1]);
    } finally {
      await other.close();
    }
  });

  test('a time budget stops a check after the packs at hand', async () => {
    const { checked } = await temporary.repository.check({ level: 3, budget: { maxDurationMilliseconds: 0 } });
    assert.equal(checked.packs, 1);
  });

  test('a pack found damaged is read again by the next check, whatever its budget, and names the backups that use it', async () => {
    const { repository, storage } = temporary;
    const earlier = new Set((await storage.list('packs/')).map(({ key }) => key));
    const { id } = await backUpBytes(repository, randomBytes(90_000));
    await repository.check({ level: 3 });
    const added = (await storage.list('packs/')).filter(({ key }) => !earlier.has(key));
    const { key } = added.toSorted((a, b) => b.size - a.size)[0]!;
    await flip(temporary.folder, key, 5000);
    const found = await repository.check({ level: 3 });
    const finding = found.findings.find(({ code }) => code === 'pack-hash-differs')!;
    assert.deepEqual([finding.object, finding.snapshotIds], [key, [id]]);
    assert.equal(found.verification!.damagedPacks, 1);
    const budget = { maxAgeMilliseconds: 3_600_000, maxBytes: 1 };
    const again = await repository.check({ level: 3, budget });
    assert.deepEqual(
      again.findings.map(({ code, object }) => [code, object]),
      [['pack-hash-differs', key]],
    );
  });

  test('losing the ledger costs nothing but reading everything again', async () => {
    for (const { key } of await temporary.storage.list('verify/')) await temporary.storage.delete(key);
    const { verification } = await temporary.repository.check({ level: 1 });
    assert.equal(verification!.verifiedFraction, 0);
    const { checked } = await temporary.repository.check({ level: 3, budget: { maxAgeMilliseconds: 3_600_000 } });
    assert.equal(checked.packs, (await temporary.storage.list('packs/')).length);
  });
});
