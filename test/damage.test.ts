import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { Repository } from '../src/core/ports/repository.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { backUpBytes, keyOf, readBytes, TemporaryRepository } from './temporary-repository.ts';

/** Damages copies of one repository and sees who notices. */
describe('damage', () => {
  let temporary: TemporaryRepository;
  let streamId: string;
  let inlineId: string;
  before(async () => {
    temporary = await TemporaryRepository.create();
    streamId = (await backUpBytes(temporary.repository, randomBytes(400_000))).id;
    inlineId = (await backUpBytes(temporary.repository, Buffer.from('{"small":true}'))).id;
  });
  after(() => temporary.remove());

  async function withCopy(work: (folder: string, open: () => Promise<Repository>) => Promise<void>): Promise<void> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-damage-'));
    const opened: Repository[] = [];
    try {
      await cp(temporary.folder, folder, { recursive: true });
      await work(folder, async () => {
        const repository = await openRepository({
          storage: await openStorage({ folder }),
          providers: [temporary.provider],
          workers: 1,
        });
        opened.push(repository);
        return repository;
      });
    } finally {
      for (const repository of opened) await repository.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  async function flip(folder: string, key: string, at: number): Promise<void> {
    const file = path.join(folder, key);
    await chmod(file, 0o600);
    const bytes = await readFile(file);
    const position = at < 0 ? bytes.length + at : at;
    bytes[position] = bytes[position]! ^ 0x10;
    await writeFile(file, bytes);
  }

  const places: [name: string, at: number][] = [
    ['magic', 1],
    ['version', 4],
    ['kind', 5],
    ['cipher', 6],
    ['epoch', 7],
    ['repository id', 10],
    ['salt', 30],
    ['reserved bytes', 60],
    ['first record', 100],
    ['middle', 5000],
    ['trailer', -3],
    ['footer', -40],
  ];
  for (const [name, at] of places) {
    test(`a flipped bit in a pack's ${name} is found by verify and named`, () =>
      withCopy(async (folder, open) => {
        const repository = await open();
        const key = (await temporary.storage.list('packs/')).toSorted((a, b) => b.size - a.size)[0]!.key;
        await flip(folder, key, at);
        const report = await repository.check({ level: 4 });
        assert.ok(
          report.findings.some((finding) => finding.severity !== 'warning' && finding.object === key),
          JSON.stringify(report.findings),
        );
      }));
  }

  for (const prefix of ['packs/', 'index/', 'snapshots/']) {
    for (const at of [2, 20, 70, -1]) {
      test(`a flipped bit at ${at} of an object in ${prefix} is found, and a restore that meets it stops and names it`, () =>
        withCopy(async (folder, open) => {
          const id = streamId;
          const key = prefix === 'snapshots/' ? `snapshots/${id}` : (await temporary.storage.list(prefix))[0]!.key;
          await flip(folder, key, at);
          const repository = await open();
          const found = (await repository.check({ level: 4 })).findings;
          assert.ok(
            found.some((finding) => finding.object === key),
            JSON.stringify(found),
          );
          if (prefix === 'packs/' && at !== 70) return;
          const fresh = await open();
          await assert.rejects(
            readBytes(fresh, id),
            (error: unknown) =>
              error instanceof HoldfastError &&
              ['damaged', 'unsupported', 'wrong-key'].includes(error.kind) &&
              error.message.includes(key.slice(0, 20)),
          );
        }));
    }
  }

  test('a truncated pack is found by a check of presence alone, and its restore stops', () =>
    withCopy(async (folder, open) => {
      const key = (await temporary.storage.list('packs/'))[0]!.key;
      await chmod(path.join(folder, key), 0o600);
      await truncate(path.join(folder, key), 100);
      const repository = await open();
      const report = await repository.check({ level: 1 });
      assert.ok(report.findings.some((finding) => finding.code === 'pack-size-differs' && finding.object === key));
      await assert.rejects(
        readBytes(repository, streamId),
        (error: unknown) => error instanceof HoldfastError && error.message.includes(key),
      );
    }));

  test('a missing pack is named together with the backups that need it, and other backups still restore', () =>
    withCopy(async (folder, open) => {
      const key = (await temporary.storage.list('packs/'))[0]!.key;
      await rm(path.join(folder, key));
      const repository = await open();
      const report = await repository.check({ level: 2 });
      assert.ok(report.findings.some((finding) => finding.code === 'pack-missing' && finding.object === key));
      assert.ok(
        report.findings.some((finding) => finding.code === 'chunk-missing' && finding.snapshotIds?.includes(streamId)),
      );
      assert.equal((await readBytes(repository, inlineId)).toString(), '{"small":true}');
    }));

  test('a pack that lost its footer gives its chunks by its frames', () =>
    withCopy(async (folder, open) => {
      for (const { key, size } of await temporary.storage.list('packs/')) {
        await chmod(path.join(folder, key), 0o600);
        await truncate(path.join(folder, key), size - 20);
      }
      for (const { key } of await temporary.storage.list('index/')) await rm(path.join(folder, key));
      const repository = await open();
      const report = await repository.rebuildIndex({});
      assert.ok(report.findings.every((finding) => finding.code === 'pack-footer-lost'));
      assert.ok(report.findings.length > 0);
      assert.ok((await readBytes(repository, streamId)).equals(await readBytes(temporary.repository, streamId)));
    }));

  test('a snapshot put in the place of another one is noticed', () =>
    withCopy(async (folder, open) => {
      await rm(path.join(folder, 'snapshots', streamId));
      await cp(path.join(folder, 'snapshots', inlineId), path.join(folder, 'snapshots', streamId));
      await assert.rejects((await open()).openSnapshot(streamId), { code: 'object-damaged' });
    }));

  test('a changed config, a damaged keyring and a lost key are told apart', () =>
    withCopy(async (folder, open) => {
      const config = path.join(folder, 'config');
      const original = await readFile(config, 'utf8');
      await chmod(config, 0o600);
      await writeFile(config, original.replace('"frameTarget": 8192', '"frameTarget": 8193'));
      await assert.rejects(open(), { code: 'config-changed' });
      await writeFile(config, '{');
      await assert.rejects(open(), { code: 'config-damaged' });
      await writeFile(config, original.replace('"formatVersion": 1', '"formatVersion": 2'));
      await assert.rejects(open(), { code: 'format-newer', kind: 'unsupported' });
      await writeFile(config, original.replace('"incompatibleRead": []', '"incompatibleRead": ["erasure-coding"]'));
      await assert.rejects(open(), (error: Error) => /erasure-coding/.test(error.message));
      await writeFile(config, original);
      await flip(folder, 'keyring/00000000', 80);
      await assert.rejects(open(), { code: 'object-damaged' });
      await assert.rejects(
        openRepository({ storage: await openStorage({ folder }), providers: [keyOf(randomBytes(32))] }),
        { code: 'key-does-not-open', kind: 'wrong-key' },
      );
      await rm(config);
      await assert.rejects(open(), { code: 'repository-missing', kind: 'no-repository' });
    }));
});

describe('keys', () => {
  test('a slot can be added and removed, the last one stays, and every slot opens everything', async () => {
    const temporary = await TemporaryRepository.create();
    try {
      const bytes = randomBytes(100_000);
      const { id } = await backUpBytes(temporary.repository, bytes);
      const other = { ...keyOf(randomBytes(32)), kind: 'other' };
      const otherKey = randomBytes(32);
      other.createWrappingKey = async () => ({ parameters: { cost: 1 }, wrappingKey: otherKey });
      other.wrappingKeyFor = async (slot) => (slot.kind === 'other' ? otherKey : undefined);
      const { keys } = temporary.repository;
      const added = await keys.add(other, 'second');
      const opened = await openRepository({ storage: temporary.storage, providers: [other], workers: 1 });
      assert.ok((await readBytes(opened, id)).equals(bytes));
      await opened.close();
      const first = (await keys.list()).find((slot) => slot.id !== added.id)!;
      assert.deepEqual((await temporary.repository.check({ level: 0 })).findings, []);
      await keys.remove(added.id);
      await assert.rejects(keys.remove(first.id), { code: 'last-key-slot' });
      await assert.rejects(keys.remove('unknown'), { code: 'key-slot-missing' });
    } finally {
      await temporary.remove();
    }
  });

  test('rotation begins a new epoch, keeps everything readable, follows into other processes and drops no slot unasked', async () => {
    const temporary = await TemporaryRepository.create();
    try {
      const { repository, provider } = temporary;
      const bytes = randomBytes(100_000);
      const before = await backUpBytes(repository, bytes);
      const running = await temporary.openAgain();
      assert.ok((await readBytes(running, before.id)).equals(bytes));
      const other = { ...keyOf(randomBytes(32)), kind: 'other', wrappingKeyFor: async () => undefined };
      await repository.keys.add(other, 'of a colleague');
      await assert.rejects(repository.keys.rotate([provider], { dropOthers: false }), {
        code: 'key-slots-would-be-lost',
      });
      const { epoch, slots } = await repository.keys.rotate([provider], { dropOthers: true });
      assert.equal(epoch, 1);
      assert.equal(slots.length, 1);
      const fresh = randomBytes(100_000);
      const after = await backUpBytes(repository, fresh);
      assert.ok(
        (await readBytes(running, after.id)).equals(fresh),
        'a process that was open before reads what came after',
      );
      assert.ok((await readBytes(running, (await backUpBytes(running, randomBytes(70_000))).id)).length === 70_000);
      const reopened = await temporary.openAgain();
      assert.ok((await readBytes(reopened, before.id)).equals(bytes));
      assert.ok((await readBytes(reopened, after.id)).equals(fresh));
      assert.equal((await temporary.storage.list('keyring/')).length, 1);
      await reopened.close();
      await running.close();
    } finally {
      await temporary.remove();
    }
  });
});
