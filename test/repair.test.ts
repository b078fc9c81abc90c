import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { RepairOptions, Repository } from '../src/core/ports/repository.ts';
import type { CheckFinding } from '../src/core/ports/repository-check.ts';
import type { RepairAction, RepairReport } from '../src/core/ports/repository-repair.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { flip } from './flipped-bytes.ts';
import { backUpBytes, keyOf, pieces, readBytes, recordOf, TemporaryRepository } from './temporary-repository.ts';

/** Damages a repository in its folder, and repairs it. */
describe('repair', () => {
  let temporary: TemporaryRepository;
  let repository: Repository;
  let storage: Storage;
  let copies: string[];
  beforeEach(async () => {
    temporary = await TemporaryRepository.create();
    ({ repository, storage } = temporary);
    copies = [];
  });
  afterEach(async () => {
    await temporary.remove();
    for (const folder of copies) await rm(folder, { recursive: true, force: true });
  });

  const repair = (options: Partial<RepairOptions> = {}): Promise<RepairReport> =>
    repository.repair({ dryRun: false, ...options });

  async function copyOfRepository(): Promise<{ folder: string; storage: Storage }> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-replica-'));
    copies.push(folder);
    await cp(temporary.folder, folder, { recursive: true });
    return { folder, storage: await openStorage({ folder }) };
  }

  /** Another process's view: nothing that this one has read already helps. */
  async function fresh<Result>(work: (repository: Repository) => Promise<Result>): Promise<Result> {
    const other = await temporary.openAgain();
    try {
      return await work(other);
    } finally {
      await other.close();
    }
  }

  const check = (): Promise<readonly CheckFinding[]> =>
    fresh(async (other) => (await other.check({ level: 4 })).findings);
  const damages = async (): Promise<CheckFinding[]> => (await check()).filter(({ severity }) => severity !== 'warning');

  async function largestPack(): Promise<string> {
    return (await storage.list('packs/')).toSorted((a, b) => b.size - a.size)[0]!.key;
  }

  async function everything(folder: string): Promise<Map<string, string>> {
    const objects = new Map<string, string>();
    for (const prefix of ['packs/', 'index/', 'snapshots/', 'bad/', 'quarantine/', 'updates/', 'trash/', 'gc/'])
      for (const { key } of await (await openStorage({ folder })).list(prefix))
        objects.set(
          key,
          createHash('sha256')
            .update(await readFile(path.join(folder, key)))
            .digest('hex'),
        );
    return objects;
  }

  function did({ steps }: RepairReport): RepairAction[] {
    return steps.map(({ action }) => action);
  }

  test('a sound repository is left exactly as it is', async () => {
    await backUpBytes(repository, randomBytes(300_000));
    const before = await everything(temporary.folder);
    assert.deepEqual(await repair().then(did), []);
    assert.deepEqual(await everything(temporary.folder), before);
  });

  for (const [name, at] of [
    ['magic', 1],
    ['version', 4],
    ['cipher', 6],
    ['epoch', 7],
    ['salt', 30],
    ['first frame', 100],
    ['middle', 90_000],
    ['footer', -40],
    ['trailer', -3],
  ] as const) {
    test(`a pack damaged in its ${name} is fetched from a copy; the bad bytes are kept aside`, async () => {
      const bytes = randomBytes(400_000);
      const { id } = await backUpBytes(repository, bytes);
      const replica = await copyOfRepository();
      const key = await largestPack();
      await flip(temporary.folder, key, at);
      const report = await repair({ replicas: [replica.storage] });
      assert.deepEqual(did(report), ['fetch-pack']);
      assert.equal(report.steps[0]!.object, key);
      assert.deepEqual(await damages(), []);
      assert.ok((await fresh((other) => readBytes(other, id))).equals(bytes));
      assert.equal((await storage.list('quarantine/')).length, 1);
      assert.equal((await storage.list('bad/')).length, 0);
    });
  }

  test('a missing pack is fetched from the first copy that has it whole', async () => {
    const bytes = randomBytes(400_000);
    const { id } = await backUpBytes(repository, bytes);
    const [broken, whole] = [await copyOfRepository(), await copyOfRepository()];
    const key = await largestPack();
    await rm(path.join(temporary.folder, key));
    await flip(broken.folder, key, 500);
    const report = await repair({ replicas: [broken.storage, whole.storage] });
    assert.deepEqual(did(report), ['fetch-pack']);
    assert.ok(report.steps[0]!.message.includes(whole.folder));
    assert.deepEqual(await damages(), []);
    assert.ok((await fresh((other) => readBytes(other, id))).equals(bytes));
  });

  test('a storage that holds another repository is refused as a copy', async () => {
    const other = await TemporaryRepository.create();
    try {
      await assert.rejects(repair({ replicas: [other.storage] }), { code: 'replica-of-another-repository' });
    } finally {
      await other.remove();
    }
  });

  test('without a copy, all chunks but the damaged one are saved, and the same data backed up again heals old backups', async () => {
    const bytes = randomBytes(400_000);
    const { id } = await backUpBytes(repository, bytes);
    const key = await largestPack();
    await flip(temporary.folder, key, 90_000);
    const report = await repair();
    assert.deepEqual(did(report), ['salvage-pack', 'derive-snapshot']);
    assert.deepEqual(
      (await storage.list('bad/')).map((mark) => mark.key.slice(4)),
      [key.slice(-64)],
    );
    assert.equal((await storage.list('quarantine/')).length, 1);
    const [incomplete] = report.incomplete;
    assert.equal(incomplete!.snapshotId, id);
    assert.equal(incomplete!.missingCount, 1);
    assert.ok(incomplete!.missingBytes >= 4096 && incomplete!.missingBytes <= 65_536, 'one chunk, no more');
    await assert.rejects(
      fresh((other) => readBytes(other, id)),
      { kind: 'damaged' },
    );
    const again = await backUpBytes(repository, bytes);
    assert.equal(again.statistics.newBytes, incomplete!.missingBytes, 'only what was lost is stored again');
    assert.deepEqual(await damages(), []);
    assert.ok((await fresh((other) => readBytes(other, id))).equals(bytes), 'the old backup is whole again');
    const healed = await repair();
    assert.deepEqual(healed.incomplete, []);
  });

  test('a mark goes once a collection has removed the bad pack, which it does when nothing needs it any more', async () => {
    const bytes = randomBytes(400_000);
    await backUpBytes(repository, bytes);
    const key = await largestPack();
    await flip(temporary.folder, key, 90_000);
    await repair();
    await repository.collect({ dryRun: false });
    assert.ok(
      (await storage.list('packs/')).some((pack) => pack.key === key),
      'a backup still misses something of it',
    );
    await backUpBytes(repository, bytes);
    await repository.collect({ dryRun: false });
    assert.ok(!(await storage.list('packs/')).some((pack) => pack.key === key));
    assert.deepEqual(did(await repair()), ['clear-mark']);
    assert.equal((await storage.list('bad/')).length, 0);
    assert.deepEqual(await damages(), []);
  });

  test('a missing pack without a copy is marked, so that backups do not rely on it', async () => {
    const bytes = randomBytes(200_000);
    const { id } = await backUpBytes(repository, bytes);
    const key = await largestPack();
    await rm(path.join(temporary.folder, key));
    assert.deepEqual(did(await repair()), ['salvage-pack', 'derive-snapshot']);
    const again = await backUpBytes(repository, bytes);
    assert.ok(again.statistics.newBytes > 0);
    for (const each of [id, again.id]) assert.ok((await fresh((other) => readBytes(other, each))).equals(bytes));
  });

  test('a pack that comes back whole loses its mark', async () => {
    const { id } = await backUpBytes(repository, randomBytes(200_000));
    const key = await largestPack();
    const original = await readFile(path.join(temporary.folder, key));
    await flip(temporary.folder, key, 9000);
    await repair();
    await chmod(path.join(temporary.folder, key), 0o600);
    await writeFile(path.join(temporary.folder, key), original);
    const report = await repair();
    assert.deepEqual(did(report), ['clear-mark']);
    assert.deepEqual(report.incomplete, []);
    assert.equal((await fresh((other) => readBytes(other, id))).length, 200_000);
  });

  test('a pack whose footer and header are damaged gives all chunks of its sound frames', async () => {
    const bytes = randomBytes(240_000);
    const { id } = await backUpBytes(repository, bytes);
    const key = await largestPack();
    await flip(temporary.folder, key, 2);
    await flip(temporary.folder, key, -40);
    const report = await repair();
    assert.deepEqual(did(report), ['salvage-pack']);
    assert.deepEqual(report.incomplete, []);
    assert.ok((await fresh((other) => readBytes(other, id))).equals(bytes));
  });

  for (const lost of ['damaged', 'missing'] as const) {
    test(`a ${lost} index segment is written anew from the packs`, async () => {
      const bytes = randomBytes(300_000);
      const { id } = await backUpBytes(repository, bytes);
      await backUpBytes(repository, randomBytes(100_000));
      const [{ key } = { key: '' }] = await storage.list('index/');
      if (lost === 'damaged') await flip(temporary.folder, key, 100);
      else await rm(path.join(temporary.folder, key));
      const plan = await fresh((other) => other.repair({ dryRun: true }));
      assert.equal(did(plan)[0], 'rebuild-index');
      const report = await fresh((other) => other.repair({ dryRun: false }));
      assert.deepEqual(did(report), ['rebuild-index']);
      assert.equal((await storage.list('quarantine/')).length, lost === 'damaged' ? 1 : 0);
      assert.deepEqual(await damages(), []);
      assert.ok((await fresh((other) => readBytes(other, id))).equals(bytes));
    });
  }

  test('a snapshot that does not open is fetched from a copy, or else taken aside', async () => {
    const first = await backUpBytes(repository, randomBytes(100_000));
    const second = await backUpBytes(repository, randomBytes(100_000));
    const replica = await copyOfRepository();
    for (const id of [first.id, second.id]) await flip(temporary.folder, `snapshots/${id}`, 90);
    await rm(path.join(replica.folder, 'snapshots', second.id));
    const report = await repair({ replicas: [replica.storage] });
    assert.deepEqual(
      report.steps.map(({ action, object }) => [action, object]),
      [
        ['fetch-object', `snapshots/${first.id}`],
        ['quarantine-object', `snapshots/${second.id}`],
      ],
    );
    assert.deepEqual(await fresh((other) => other.listSnapshots()), [first.id]);
    assert.deepEqual(await damages(), []);
    assert.equal((await fresh((other) => readBytes(other, first.id))).length, 100_000);
    assert.ok((await storage.list('quarantine/snapshots/')).some(({ key }) => key.includes(second.id)));
  });

  describe('of what a collection decided', () => {
    const COLLECT = { dryRun: false, now: new Date(Date.now() + 86_400_000) };
    let needed: string;
    let early: Storage;
    beforeEach(async () => {
      const { id } = await backUpBytes(repository, randomBytes(300_000));
      needed = (await backUpBytes(repository, randomBytes(300_000))).id;
      await repository.forgetSnapshot(id, { trashDays: 0, reason: 'test' });
      early = (await copyOfRepository()).storage;
      await repository.collect(COLLECT);
    });
    const damaged = async (part: string): Promise<string> => {
      const { key } = (await storage.list('gc/')).find((object) => object.key.endsWith(`/${part}`))!;
      await flip(temporary.folder, key, 90);
      return key;
    };
    const mended = async (options: Partial<RepairOptions>): Promise<RepairReport> =>
      fresh((other) => other.repair({ dryRun: false, ...options }));

    for (const part of ['condemned', 'resolution'])
      test(`what it ${part === 'condemned' ? 'condemned' : 'sealed'} is fetched from a copy, with all other damage then`, async () => {
        const replica = await copyOfRepository();
        const key = await damaged(part);
        const pack = await largestPack();
        await flip(temporary.folder, pack, 100);
        const told = await mended({ replicas: [replica.storage], dryRun: true });
        assert.deepEqual(
          told.steps.map(({ action, object }) => [action, object]),
          [['fetch-object', key]],
        );
        const report = await mended({ replicas: [replica.storage] });
        assert.deepEqual(report.steps.map(({ object }) => object).sort(), [key, pack].sort());
        assert.ok(report.findings.some(({ object }) => object === pack));
        assert.deepEqual(await damages(), []);
        assert.equal((await fresh((other) => readBytes(other, needed))).length, 300_000);
      });

    test('is not taken from a copy in which somebody collected by himself, which is told, and nothing is touched', async () => {
      const collecting = await openRepository({ storage: early, providers: [temporary.provider], workers: 0 });
      await collecting.collect(COLLECT);
      const key = await damaged('condemned');
      assert.ok((await early.get(key)).length > 0);
      const before = await everything(temporary.folder);
      await assert.rejects(mended({ replicas: [early] }), {
        kind: 'damaged',
        code: 'collection-round-damaged',
        details: { object: key },
      });
      assert.deepEqual(await everything(temporary.folder), before);
    });

    test('that all is done is made anew by the next one, without a copy', async () => {
      const key = await damaged('done');
      assert.deepEqual(
        (await mended({})).steps.map(({ action, object }) => [action, object]),
        [['quarantine-object', key]],
      );
      await fresh((other) => other.collect({ dryRun: false }));
      assert.deepEqual(await damages(), []);
      assert.ok((await storage.list('gc/')).some((object) => object.key === key));
    });
  });

  test('a damaged key is fetched from a copy that has it whole, without leaving anything of it in quarantine', async () => {
    const other = keyOf(randomBytes(32));
    const { id } = await repository.keys.add({ ...other, kind: 'safe' }, 'in the safe');
    const replica = await copyOfRepository();
    const bad = await copyOfRepository();
    const whole = await storage.get(`keys/${id}`);
    for (const folder of [temporary.folder, bad.folder]) await flip(folder, `keys/${id}`, 80);
    assert.deepEqual(did(await repair({ replicas: [bad.storage] })), ['leave']);
    assert.deepEqual(did(await repair({ replicas: [bad.storage, replica.storage] })), ['fetch-object']);
    assert.ok((await storage.get(`keys/${id}`)).equals(whole));
    assert.deepEqual(await damages(), []);
    assert.deepEqual(await storage.list('quarantine/'), []);
  });

  test('a backup whose changed description is damaged is held, for it may have been', async () => {
    const { id } = await backUpBytes(repository, randomBytes(1000));
    await repository.updateSnapshot(id, (backup) => ({ ...backup, metadata: { tags: { kept: 'yes' } } }));
    await flip(temporary.folder, `updates/${id}/00000001`, 80);
    await assert.rejects(
      fresh((other) => other.openSnapshot(id)),
      { kind: 'damaged' },
    );
    assert.deepEqual(did(await repair()), ['quarantine-object']);
    const reader = await repository.openSnapshot(id);
    assert.equal(reader.record.backup.held, true);
    await reader.close();
  });

  test('what a newer Holdfast wrote stops the repair before anything is touched', async () => {
    const { id } = await backUpBytes(repository, randomBytes(300_000));
    await flip(temporary.folder, await largestPack(), 5000);
    const file = path.join(temporary.folder, 'snapshots', id);
    await chmod(file, 0o600);
    const bytes = await readFile(file);
    bytes[4] = 2;
    await writeFile(file, bytes);
    const before = await everything(temporary.folder);
    await assert.rejects(repair(), { kind: 'unsupported', code: 'format-newer' });
    assert.deepEqual(await everything(temporary.folder), before);
  });

  test('a dry run tells what the repair then does, and touches nothing', async () => {
    const lost = await backUpBytes(repository, randomBytes(300_000));
    const gone = await backUpBytes(repository, randomBytes(10_000));
    await flip(temporary.folder, await largestPack(), 90_000);
    await flip(temporary.folder, `snapshots/${gone.id}`, 100);
    const before = await everything(temporary.folder);
    const plan = await repair({ dryRun: true });
    assert.deepEqual(await everything(temporary.folder), before);
    const report = await repair();
    assert.deepEqual(did(plan), did(report));
    assert.deepEqual(did(report), ['salvage-pack', 'quarantine-object', 'derive-snapshot']);
    assert.equal(plan.incomplete[0]!.snapshotId, lost.id);
    assert.deepEqual(plan.incomplete[0]!.missing, report.incomplete[0]!.missing);
    assert.deepEqual([plan.incomplete[0]!.derivedId, typeof report.incomplete[0]!.derivedId], [undefined, 'string']);
  });

  test('a repair that is run again does nothing new, and names the snapshot that it made before', async () => {
    await backUpBytes(repository, randomBytes(300_000));
    await flip(temporary.folder, await largestPack(), 90_000);
    const first = await repair();
    const before = await everything(temporary.folder);
    const second = await repair();
    assert.deepEqual(did(second), []);
    assert.deepEqual(second.incomplete, first.incomplete);
    assert.deepEqual(await everything(temporary.folder), before);
  });

  test('a backup in the middle of which a pack is found bad and marked still restores what the repair could save', async () => {
    const bytes = randomBytes(240_000);
    await backUpBytes(repository, bytes);
    const key = await largestPack();
    await flip(temporary.folder, key, -40);
    const writer = await repository.beginSnapshot({ encrypt: true });
    const stored = await writer.writeStream(pieces(bytes));
    assert.equal(writer.counts().newBytes, 0, 'it relies on the bad pack');
    await fresh((other) => other.repair({ dryRun: false }));
    const { backup } = await writer.commit(recordOf(writer, stored));
    assert.ok((await fresh((other) => readBytes(other, backup.id))).equals(bytes));
  });
});
