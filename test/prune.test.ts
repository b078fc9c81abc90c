import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Backup, BackupType } from '../src/core/backup.ts';
import type { CollectionReport } from '../src/core/ports/repository-collection.ts';
import {
  bytesOf,
  DAY,
  gather,
  type ManagedApplication,
  openManagedApplication,
  temporaryFolder,
} from './managed-application.ts';

describe('pruning a repository', () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;
  before(async () => {
    place = await temporaryFolder();
    managed = await openManagedApplication(place.folder);
  });
  after(async () => {
    await managed.application.close();
    await place.remove();
  });

  const store = async (resourceId: string, text: string): Promise<Backup> =>
    managed.application.backups.createPosted({
      resourceId,
      service: 'stream',
      input: bytesOf(text),
      encrypt: true,
      createdBy: 'test',
    });
  const post = (n: number, type: BackupType): Promise<Backup> =>
    managed.application.backups.createPosted({
      resourceId: 'document',
      type,
      service: 'document',
      input: bytesOf({ filler: 'x'.repeat(3000), n }),
      createdBy: 'test',
    });
  const how = { cascade: false, reason: 'test', by: 'test' };
  const prune = async (): Promise<CollectionReport> => {
    const { application } = managed;
    const started = await application.repositories.startPrune('default', { createdBy: 'test' });
    const { status, result, error } = await application.operations.wait(started.id, 20_000);
    assert.equal(status, 'completed', error?.message ?? '');
    return result as unknown as CollectionReport;
  };

  test('is an operation that tells what it freed, once the trash has let go of what was forgotten', async () => {
    const { application } = managed;
    await store('kept', 'k'.repeat(200_000));
    const gone = await store('gone', Array.from({ length: 40_000 }, (_, n) => `${n * 7919} `).join(''));
    await application.backups.delete(gone.id, how);
    assert.equal((await prune()).outcome, 'nothing-to-do');
    const [entry] = await application.repositories.trash('default');
    assert.equal(entry?.id, gone.id);
    managed.advance(8 * DAY);
    const preview = await application.repositories.prune('default', { dryRun: true });
    assert.equal(preview.outcome, 'nothing-to-do', 'the storage has not seen those days pass');
    const ahead = await managed.repository.collect({ dryRun: true, now: managed.now() });
    assert.equal(ahead.outcome, 'would-remove');
    const before = (await application.repositories.get('default')).packBytes;
    const report = await managed.repository.collect({ dryRun: false, now: managed.now() });
    assert.equal(report.outcome, 'removed');
    const overview = await application.repositories.get('default');
    assert.equal(before - overview.packBytes, report.bytesFreed);
    assert.equal(overview.lastCollection?.bytesFreed, report.bytesFreed);
    assert.equal(overview.lastCollection?.snapshotsExpired, 1);
    assert.equal(overview.trash, 0);
  });

  test('a forgotten backup comes back to the catalogue, and restores; a delta only after its base', async () => {
    const { application } = managed;
    const full = await post(0, 'full');
    const delta = await post(1, 'incremental');
    await application.backups.delete(full.id, { ...how, cascade: true });
    await assert.rejects(application.repositories.undelete('default', delta.id), { code: 'base-forgotten' });
    assert.equal((await application.repositories.undelete('default', full.id)).id, full.id);
    const back = await application.repositories.undelete('default', delta.id);
    assert.deepEqual([back.id, back.parentId], [delta.id, full.id]);
    assert.deepEqual(
      (await managed.catalogue.backups.allOf('document')).map(({ id }) => id).sort(),
      [full.id, delta.id].sort(),
    );
    const { bytes } = await application.backups.content(delta.id, AbortSignal.timeout(10_000));
    assert.equal(JSON.parse((await gather(bytes)).toString()).n, 1);
    await assert.rejects(application.repositories.undelete('default', full.id), { code: 'not-in-trash' });
  });

  test('an empty repository is left alone, and the error says how to go on', async () => {
    const { application } = managed;
    await store('last', 'l'.repeat(100_000));
    for (const { key } of await managed.storage.list('snapshots/')) await managed.storage.delete(key);
    const started = await application.repositories.startPrune('default', { createdBy: 'test' });
    const { status, error } = await application.operations.wait(started.id, 20_000);
    assert.equal(status, 'failed');
    assert.equal(error?.code, 'collection-would-empty-repository');
    assert.match(error?.message ?? '', /allow an empty repository/);
  });
});
