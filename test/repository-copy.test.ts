import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Repository } from '../src/core/ports/repository.ts';
import type { CopyOptions } from '../src/core/ports/repository-copy.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { assertSameTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';
import { makeContents } from './files-sample-tree.ts';
import { flip } from './flipped-bytes.ts';
import { backUpBytes, keyOf, pieces, readBytes, recordOf, TemporaryRepository } from './temporary-repository.ts';

const ALL: CopyOptions = { dryRun: false };
const MIRROR: CopyOptions = { dryRun: false, forgetMissing: { trashDays: 30, allowMost: false } };
const COPY_KEY = keyOf(randomBytes(32));

/** A copy of a repository in a folder of its own, with another key, cipher and codec. */
class Copy {
  readonly folder: string;
  readonly storage: Storage;
  readonly repository: Repository;

  private constructor(folder: string, storage: Storage, repository: Repository) {
    this.folder = folder;
    this.storage = storage;
    this.repository = repository;
  }

  static async of(source: Repository): Promise<Copy> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-copy-'));
    const storage = await openStorage({ folder });
    const settings = { cipher: 'aes-256-cbc', codec: { name: 'gzip', level: 6 } } as const;
    await source.initialiseCopy({ storage, provider: COPY_KEY, label: 'copy', settings });
    return new Copy(folder, storage, await openRepository({ storage, providers: [COPY_KEY], workers: 2 }));
  }

  async remove(): Promise<void> {
    await this.repository.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

describe('a copy of a repository', () => {
  let temporary: TemporaryRepository;
  let source: Repository;
  let copy: Copy;
  let target: Repository;
  beforeEach(async () => {
    temporary = await TemporaryRepository.create();
    source = temporary.repository;
    copy = await Copy.of(source);
    target = copy.repository;
  });
  afterEach(async () => {
    await copy.remove();
    await temporary.remove();
  });

  test('holds every backup whole, and costs only what is new the next time', async () => {
    const [first, second] = [randomBytes(900_000), randomBytes(300_000)];
    const large = await backUpBytes(source, first);
    const small = await backUpBytes(source, Buffer.from('lies in its snapshot'));
    const plain = await backUpBytes(source, second, { encrypt: false });
    const would = await target.copyFrom(source, { dryRun: true });
    assert.deepEqual(would.copied, [large.id, small.id, plain.id]);
    assert.deepEqual(await target.listSnapshots(), []);

    const report = await target.copyFrom(source, ALL);
    assert.deepEqual([report.copied.length, report.present, report.failed], [3, [], []]);
    assert.equal(report.bytes, first.length + second.length);
    assert.deepEqual(await target.listSnapshots(), await source.listSnapshots());
    assert.ok((await readBytes(target, large.id)).equals(first));
    assert.ok((await readBytes(target, plain.id)).equals(second));
    assert.deepEqual((await target.openSnapshot(small.id)).record, (await source.openSnapshot(small.id)).record);

    const changed = Buffer.concat([first.subarray(0, 400_000), randomBytes(50_000), first.subarray(400_000)]);
    const next = await backUpBytes(source, changed);
    const again = await target.copyFrom(source, ALL);
    assert.deepEqual([again.copied, again.present.length], [[next.id], 3]);
    assert.ok(again.bytes < 250_000, `${again.bytes} bytes were copied`);
    assert.ok((await readBytes(target, next.id)).equals(changed));
    const { findings } = await target.check({ level: 4 });
    assert.deepEqual(findings, []);
    assert.equal((await target.copyFrom(source, ALL)).chunks, 0);
  });

  test('opens with its own key alone, and neither key opens the other', async () => {
    const bytes = randomBytes(100_000);
    const { id } = await backUpBytes(source, bytes);
    await target.copyFrom(source, ALL);
    const alone = await openRepository({ storage: await openStorage({ folder: copy.folder }), providers: [COPY_KEY] });
    assert.ok((await readBytes(alone, id)).equals(bytes));
    await alone.close();
    for (const [folder, provider] of [
      [copy.folder, temporary.provider],
      [temporary.folder, COPY_KEY],
    ] as const) {
      const opening = openRepository({ storage: await openStorage({ folder }), providers: [provider] });
      await assert.rejects(opening, { code: 'key-does-not-open' });
    }
  });

  test('restores trees as they were, with chains and later changes', async () => {
    const rig = await FilesRig.create();
    const own = await Copy.of(rig.repository);
    try {
      const folder = await rig.newFolder('source');
      makeContents(folder);
      const { backup: full } = await rig.backUp({ paths: [folder] });
      await writeFile(path.join(folder, 'added'), 'later');
      const { backup: delta } = await rig.backUp({ paths: [folder] }, { base: full });
      await own.repository.copyFrom(rig.repository, { ...ALL, snapshotIds: [delta.id] });
      const names = await own.repository.listSnapshots();
      assert.ok(names.includes(delta.id));
      const restored = path.join(rig.folder, 'restored');
      await rig.restore(delta, { target: restored }, { repository: own.repository });
      assertSameTree(path.join(restored, 'source'), folder);
      await rig.repository.updateSnapshot(delta.id, (backup) => ({ ...backup, held: true }));
      assert.equal((await own.repository.copyFrom(rig.repository, ALL)).updated, 1);
      assert.ok((await own.repository.openSnapshot(delta.id)).record.backup.held);
      assert.equal((await own.repository.copyFrom(rig.repository, ALL)).updated, 0);
    } finally {
      await own.remove();
      await rig.remove();
    }
  });

  test('goes on where it was broken off', async () => {
    const bytes = randomBytes(3_000_000);
    const { id } = await backUpBytes(source, bytes);
    let puts = 0;
    const breaking = new Proxy(copy.storage, {
      get(storage, name) {
        const value = Reflect.get(storage, name);
        if (name !== 'putNew') return typeof value === 'function' ? value.bind(storage) : value;
        return async (...given: Parameters<Storage['putNew']>) => {
          if (given[0].startsWith('snapshots/')) throw new Error('the disk was unplugged');
          puts++;
          return storage.putNew(...given);
        };
      },
    });
    const broken = await openRepository({ storage: breaking, providers: [COPY_KEY], workers: 0 });
    await assert.rejects(broken.copyFrom(source, ALL), /unplugged/);
    assert.ok(puts > 0);
    assert.deepEqual(await target.listSnapshots(), []);
    const report = await target.copyFrom(source, ALL);
    assert.deepEqual(report.copied, [id]);
    assert.equal(report.bytes, 0, 'all chunks were there already');
    assert.ok((await readBytes(target, id)).equals(bytes));
  });

  test('does not take damage over: what the source misses is named and not copied, and what was copied stays whole', async () => {
    const bytes = randomBytes(600_000);
    const before = await backUpBytes(source, bytes);
    await target.copyFrom(source, ALL);
    const packs = new Set((await temporary.storage.list('packs/')).map(({ key }) => key));
    const hit = await backUpBytes(source, randomBytes(600_000));
    const sound = await backUpBytes(source, Buffer.from('sound'));
    for (const { key } of await temporary.storage.list('packs/')) await flip(temporary.folder, key, 5000);
    assert.ok(packs.size > 0);
    const report = await target.copyFrom(source, MIRROR);
    assert.deepEqual(report.copied, [sound.id]);
    assert.deepEqual(
      report.failed.map(({ snapshotId }) => snapshotId),
      [hit.id],
    );
    assert.ok((await readBytes(target, before.id)).equals(bytes));
  });

  test('forgets what its source forgot into its own trash, but never what is held, and never most of it', async () => {
    const kept = [];
    for (let count = 0; count < 4; count++) kept.push(await backUpBytes(source, randomBytes(70_000)));
    const [first, second, third, fourth] = kept as [
      (typeof kept)[0],
      (typeof kept)[0],
      (typeof kept)[0],
      (typeof kept)[0],
    ];
    await target.copyFrom(source, MIRROR);
    await source.forgetSnapshot(first.id, { trashDays: 0, reason: 'test' });
    assert.deepEqual((await target.copyFrom(source, ALL)).forgotten, []);
    assert.deepEqual((await target.copyFrom(source, { ...MIRROR, dryRun: true })).forgotten, [first.id]);
    assert.deepEqual((await target.copyFrom(source, MIRROR)).forgotten, [first.id]);
    const [entry] = await target.listTrash();
    assert.ok(Date.parse(entry!.expiresAt) > Date.now() + 29 * 86_400_000);
    await target.updateSnapshot(second.id, (backup) => ({ ...backup, held: true }));
    for (const { id } of [second, third, fourth]) await source.forgetSnapshot(id, { trashDays: 0, reason: 'test' });
    const other = await backUpBytes(source, randomBytes(70_000));
    await assert.rejects(target.copyFrom(source, MIRROR), { code: 'copy-would-forget-most' });
    assert.ok((await target.listSnapshots()).includes(other.id), 'what is new was copied');
    const allowed = { dryRun: false, forgetMissing: { trashDays: 30, allowMost: true } };
    assert.deepEqual((await target.copyFrom(source, allowed)).forgotten, [third.id, fourth.id]);
    assert.deepEqual(await target.listSnapshots(), [second.id, other.id]);
    await target.undeleteSnapshot(first.id);
    assert.equal((await target.check({ level: 4 })).findings.length, 0);
  });

  test('forgets the pieces of logs that longer ones replaced, however many, and never most of the backups beside them', async () => {
    const backups = [];
    for (let count = 0; count < 3; count++) backups.push(await backUpBytes(source, randomBytes(1000)));
    const stored: string[] = [];
    for (let count = 0; count < 10; count++) stored.push(await storePiece(source));
    await target.copyFrom(source, MIRROR);
    const forget = async (ids: readonly string[]) => {
      for (const id of ids) await source.forgetSnapshot(id, { trashDays: 0, reason: 'test' });
    };
    await forget(stored.slice(0, 9));
    assert.deepEqual((await target.copyFrom(source, MIRROR)).forgottenKept, stored.slice(0, 9));
    for (let count = 0; count < 10; count++) await storePiece(source);
    await target.copyFrom(source, MIRROR);
    await forget(backups.slice(0, 2).map(({ id }) => id));
    await assert.rejects(target.copyFrom(source, MIRROR), { code: 'copy-would-forget-most', message: /^2 of the 3 / });
  });

  test('names what does not open in its source, though it was asked for by its id', async () => {
    const hit = await backUpBytes(source, randomBytes(1000));
    const sound = await backUpBytes(source, randomBytes(1000));
    await flip(temporary.folder, `snapshots/${hit.id}`, 90);
    const { copied, failed } = await target.copyFrom(source, { dryRun: false, snapshotIds: [hit.id, sound.id] });
    assert.deepEqual(copied, [sound.id]);
    assert.deepEqual(
      failed.map(({ snapshotId }) => snapshotId),
      [hit.id],
    );
  });

  test('runs beside backups and collections in both repositories', async () => {
    const contents = Array.from({ length: 6 }, () => randomBytes(300_000));
    const ids: string[] = [];
    for (const bytes of contents) ids.push((await backUpBytes(source, bytes)).id);
    await source.forgetSnapshot(ids[0]!, { trashDays: 0, reason: 'test' });
    const collector = await openRepository({
      storage: await openStorage({ folder: copy.folder }),
      providers: [COPY_KEY],
      workers: 1,
    });
    try {
      const [report] = await Promise.all([
        target.copyFrom(source, ALL),
        source.collect({ dryRun: false }),
        backUpBytes(source, randomBytes(200_000)),
        (async () => {
          for (let round = 0; round < 5; round++) await collector.collect({ dryRun: false, allowEmpty: true });
        })(),
      ]);
      assert.deepEqual(report.failed, []);
      await target.copyFrom(source, ALL);
      for (const [index, id] of ids.entries())
        if (index > 0) assert.ok((await readBytes(target, id)).equals(contents[index]!));
      assert.deepEqual((await target.check({ level: 4 })).findings, []);
    } finally {
      await collector.close();
    }
  });

  test('is made in an empty place only, and goes to no other repository', async () => {
    const other = await TemporaryRepository.create();
    try {
      await assert.rejects(other.repository.copyFrom(source, ALL), { code: 'copy-unrelated' });
      await assert.rejects(source.copyFrom(source, ALL), { code: 'copy-of-itself' });
      await assert.rejects(
        source.initialiseCopy({
          storage: other.storage,
          provider: COPY_KEY,
          label: 'copy',
          settings: { cipher: 'aes-256-gcm', codec: { name: 'raw', level: 0 } },
        }),
        { code: 'repository-exists' },
      );
    } finally {
      await other.remove();
    }
  });
});

/** @returns its id */
async function storePiece(repository: Repository): Promise<string> {
  const writer = await repository.beginSnapshot({ encrypt: true });
  const stored = await writer.writeStream(pieces(randomBytes(100)));
  await writer.commit((counts) => {
    const record = recordOf(writer, stored)(counts);
    return { ...record, backup: { ...record.backup, log: { from: '0', to: '1', facts: {} } } };
  });
  return writer.snapshotId;
}
