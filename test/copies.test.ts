import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { CopyConfiguration } from '../src/core/configuration.ts';
import type { CopySync } from '../src/core/copy-overview.ts';
import { flip } from './flipped-bytes.ts';
import { gather, type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';
import { pieces, recordOf } from './temporary-repository.ts';

describe('copies of the repository', () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;
  let folder: string;
  beforeEach(async () => {
    place = await temporaryFolder();
    folder = path.join(place.folder, 'second disk', 'copy');
    managed = await openManagedApplication(place.folder, { configuration: { copies: [copyIn('offsite', folder)] } });
  });
  afterEach(async () => {
    await managed.application.close();
    await place.remove();
  });

  const store = (resourceId: string, bytes: Buffer): Promise<Backup> =>
    managed.application.backups.createPosted({
      resourceId,
      service: 'stream',
      input: (async function* () {
        yield bytes;
      })(),
      encrypt: true,
      createdBy: 'test',
    });
  const sync = async () => {
    const started = await managed.application.copies.startSync('offsite', { createdBy: 'test' });
    return managed.application.operations.wait(started.id, 30_000);
  };

  test('are made once, filled by operations, and say how far they are behind', async () => {
    const { copies } = managed.application;
    assert.deepEqual(
      (await copies.list()).map(({ id, state }) => [id, state]),
      [['offsite', 'missing']],
    );
    await copies.init('offsite');
    await assert.rejects(copies.init('offsite'), { code: 'repository-exists' });
    await store('a', randomBytes(200_000));
    await store('b', randomBytes(200_000));
    assert.equal((await copies.list())[0]?.behind, 2);
    const { status, result } = await sync();
    assert.equal(status, 'completed');
    assert.deepEqual([result?.copied, result?.failedCount], [2, 0]);
    const { verifiedFraction } = result!.verification as { verifiedFraction: number };
    assert.ok(verifiedFraction > 0);
    const [overview] = await copies.list();
    assert.deepEqual([overview?.state, overview?.backups, overview?.behind], ['reachable', 2, 0]);
  });

  test('count backups alone, and what is kept beside them by itself', async () => {
    const { copies } = managed.application;
    await copies.init('offsite');
    const source = await store('a', randomBytes(1000));
    const variant = await keepBeside(managed, source);
    const numbersOf = ({ copied, present, forgotten, kept }: CopySync) => [copied, present, forgotten, kept];
    const kept = { copied: 0, present: 0, forgotten: 0 };
    assert.equal((await copies.list())[0]?.behind, 1);
    const would = await copies.sync('offsite', { dryRun: true });
    assert.deepEqual(numbersOf(would), [[source.id], 0, [], { ...kept, copied: 1 }]);
    assert.deepEqual(numbersOf(await copies.sync('offsite', {})), [[source.id], 0, [], { ...kept, copied: 1 }]);
    assert.deepEqual(numbersOf(await copies.sync('offsite', {})), [[], 1, [], { ...kept, present: 1 }]);
    assert.deepEqual(
      (await copies.list()).map(({ backups, behind }) => [backups, behind]),
      [[1, 0]],
    );
    await managed.repository.forgetSnapshot(variant, { trashDays: 0, reason: 'test' });
    await managed.catalogue.backups.delete(variant);
    const { result } = await sync();
    assert.deepEqual([result?.copied, result?.forgotten, result?.kept], [0, 0, { ...kept, forgotten: 1 }]);
  });

  test('never appear by themselves on a disk that is not the right one', async () => {
    await store('a', randomBytes(100_000));
    await assert.rejects(managed.application.copies.sync('offsite', {}), { code: 'copy-missing' });
    const { status, error } = await sync();
    assert.deepEqual([status, error?.code], ['failed', 'copy-missing']);
    assert.equal(managed.notifications.at(-1)?.type, 'copy-failed');
    await assert.rejects(managed.application.copies.startSync('elsewhere', { createdBy: 'test' }), {
      code: 'copy-not-configured',
    });
    await managed.application.copies.init('offsite');
    await managed.application.copies.sync('offsite', {});
    await rename(path.dirname(folder), path.join(place.folder, 'unplugged'));
    assert.equal((await managed.application.copies.list())[0]?.state, 'missing');
    assert.equal((await sync()).error?.code, 'copy-missing');
  });

  test('keep what was deleted for some days, and everything where most of it was deleted at once', async () => {
    const { copies, backups } = managed.application;
    await copies.init('offsite');
    const made: Backup[] = [];
    for (const name of ['a', 'b', 'c']) made.push(await store(name, randomBytes(50_000)));
    await sync();
    await backups.delete(made[0]!.id, { cascade: false, reason: 'test', by: 'test' });
    assert.equal((await sync()).result?.forgotten, 1);
    for (const { id } of made.slice(1)) await backups.delete(id, { cascade: false, reason: 'test', by: 'test' });
    const { status, error } = await sync();
    assert.deepEqual([status, error?.code], ['failed', 'copy-would-forget-most']);
    assert.equal((await copies.list())[0]?.backups, 2);
  });

  test('are what a repair fetches lost chunks and lost snapshots from', async () => {
    const { copies, repositories, backups } = managed.application;
    await copies.init('offsite');
    const bytes = randomBytes(3_000_000);
    const large = await store('large', bytes);
    const small = await store('small', Buffer.from('lies in its snapshot'));
    await sync();
    const [{ key } = { key: '' }] = (await managed.storage.list('packs/')).toSorted((a, b) => b.size - a.size);
    for (const at of [5000, 700_000]) await flip(path.join(place.folder, 'repository'), key, at);
    await flip(path.join(place.folder, 'repository'), `snapshots/${small.id}`, 100);
    await assert.rejects(content(large.id));

    const would = await repositories.repair('default', { dryRun: true });
    assert.ok(would.steps.some(({ action }) => action === 'fetch-chunks'));
    assert.deepEqual(would.incomplete, []);
    const { steps, incomplete } = await repositories.repair('default', { dryRun: false });
    const actions = steps.map(({ action }) => action);
    assert.ok(actions.includes('fetch-chunks') && actions.includes('fetch-object'), actions.join(', '));
    assert.deepEqual(incomplete, []);
    assert.ok((await content(large.id)).equals(bytes));
    assert.equal((await content(small.id)).toString(), 'lies in its snapshot');
    assert.equal((await backups.get(large.id)).status, 'completed');
    const { findings } = await repositories.verify('default', { level: 4 });
    assert.deepEqual(
      findings.filter(({ severity, code }) => severity === 'damage' && code !== 'pack-hash-differs'),
      [],
    );
  });

  async function content(id: string): Promise<Buffer> {
    const { bytes } = await managed.application.backups.content(id, AbortSignal.timeout(10_000));
    return gather(bytes);
  }
});

/** Something that is made of a backup, as variants are. @returns its id */
async function keepBeside({ repository, catalogue }: ManagedApplication, { id: sourceId }: Backup): Promise<string> {
  const writer = await repository.beginSnapshot({ encrypt: true });
  const record = recordOf(writer, await writer.writeStream(pieces(randomBytes(500))));
  const { backup } = await writer.commit((counts) => {
    const { backup, ...rest } = record(counts);
    const sidecar = { sourceId, name: 'keys-1', format: 'bytes' as const };
    return { ...rest, backup: { ...backup, resourceId: 'a~variants', resourceType: 'variant', sidecar } };
  });
  await catalogue.backups.put(backup);
  return backup.id;
}

function copyIn(id: string, folder: string): CopyConfiguration {
  return {
    id,
    storage: { kind: 'local', options: { folder } },
    keys: [{ kind: 'passphrase', passphrase: 'env:UNUSED' }],
    keyIsDefault: false,
    settings: { cipher: 'aes-256-gcm', codec: 'zstd', zstdLevel: 3 },
    workers: 1,
    keepForgottenDays: 30,
  };
}
