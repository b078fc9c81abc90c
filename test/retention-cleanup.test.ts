import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Backup, BackupType } from '../src/core/backup.ts';
import {
  bytesOf,
  DAY,
  type ManagedApplication,
  openManagedApplication,
  temporaryFolder,
} from './managed-application.ts';

describe('deleting, expiring and policies', () => {
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

  const post = (resourceId: string, n: number, type: BackupType = 'full', retentionDays?: number): Promise<Backup> =>
    managed.application.backups.createPosted({
      resourceId,
      type,
      service: 'document',
      input: bytesOf({ filler: 'x'.repeat(2000), n }),
      ...(retentionDays === undefined ? {} : { metadata: { retentionDays } }),
      createdBy: 'test',
    });
  const how = { cascade: false, reason: 'test', by: 'test' };
  const idsOf = async (resourceId: string) =>
    (await managed.catalogue.backups.allOf(resourceId)).map(({ id }) => id).reverse();

  test('a base with dependants stays and names them; with cascade all go', async () => {
    const full = await post('cascade', 0);
    const first = await post('cascade', 1, 'incremental');
    const second = await post('cascade', 2, 'incremental');
    await assert.rejects(managed.application.backups.delete(full.id, how), {
      code: 'backup-has-dependants',
      kind: 'conflict',
      message: new RegExp(`2 backups build on ${full.id}: ${first.id}, ${second.id}\\.`),
    });
    assert.deepEqual(await managed.application.backups.delete(second.id, how), [second.id]);
    assert.deepEqual(await managed.application.backups.delete(full.id, { ...how, cascade: true }), [first.id, full.id]);
    assert.deepEqual(await idsOf('cascade'), []);
    await assert.rejects(managed.application.backups.get(full.id), { code: 'backup-not-found' });
    const left = await managed.repository.listSnapshots();
    for (const { id } of [full, first, second]) assert.ok(!left.includes(id));
  });

  test('a held backup is deleted by nobody, not with what it builds on either, until the hold is lifted', async () => {
    const full = await post('held', 0);
    const delta = await post('held', 1, 'incremental');
    await managed.application.backups.update(delta.id, { held: true });
    await assert.rejects(managed.application.backups.delete(delta.id, how), { code: 'backup-held' });
    await assert.rejects(managed.application.backups.delete(full.id, { ...how, cascade: true }), {
      code: 'backup-held',
    });
    assert.deepEqual(await idsOf('held'), [full.id, delta.id]);
    await managed.application.backups.update(delta.id, { held: false });
    assert.deepEqual(await managed.application.backups.delete(full.id, { ...how, cascade: true }), [delta.id, full.id]);
  });

  test('hold, expiry and tags are kept in the repository too, so that recovery finds them', async () => {
    const { id, createdAt } = await post('labelled', 0);
    await managed.application.backups.update(id, { held: true, retentionDays: 3, tags: { env: 'test' } });
    const reader = await managed.repository.openSnapshot(id);
    const { held, expiresAt, metadata } = reader.record.backup;
    await reader.close();
    assert.deepEqual(
      { held, expiresAt, metadata },
      {
        held: true,
        expiresAt: new Date(Date.parse(createdAt) + 3 * DAY).toISOString(),
        metadata: { tags: { env: 'test' }, retentionDays: 3 },
      },
    );
    const eternal = await managed.application.backups.update(id, { held: false, retentionDays: null });
    assert.equal(eternal.expiresAt, undefined);
    assert.deepEqual(await managed.application.backups.get(id), eternal);
  });

  test('an expired base stays until the last backup that needs it has expired', async () => {
    const full = await post('expiring', 0, 'full', 1);
    const first = await post('expiring', 1, 'incremental', 2);
    const second = await post('expiring', 2, 'incremental', 4);
    managed.advance(3 * DAY);
    await managed.application.policies.cleanUp('test');
    assert.deepEqual(await idsOf('expiring'), [full.id, first.id, second.id]);
    managed.advance(2 * DAY);
    const report = await managed.application.policies.cleanUp('test');
    assert.deepEqual(await idsOf('expiring'), []);
    assert.deepEqual(report.forgotten, [second.id, first.id, full.id]);
    assert.deepEqual(report.errors, []);
  });

  test('cleanup carries out the policies of resources, keeping the bases of what it keeps', async () => {
    await managed.application.policies.put({ id: 'two', name: 'two', rules: { keepLast: 2 } });
    const old = await post('policed', 0);
    const full = await post('policed', 1);
    const first = await post('policed', 2, 'incremental');
    const second = await post('policed', 3, 'incremental');
    await managed.application.resources.put({ id: 'policed', service: 'document', policyId: 'two' });
    await assert.rejects(managed.application.policies.delete('two'), { code: 'policy-in-use' });
    await managed.application.policies.cleanUp('test');
    assert.deepEqual(await idsOf('policed'), [full.id, first.id, second.id]);
    assert.ok(!(await managed.repository.listSnapshots()).includes(old.id));
  });

  test('rules that would keep nothing are refused, and nothing is forgotten', async () => {
    const { id } = await post('emptied', 0);
    const nothing = { keepTags: ['no-backup-has-this'] };
    await assert.rejects(managed.application.policies.apply('emptied', 'test', nothing), {
      code: 'policy-keeps-nothing',
    });
    await assert.rejects(managed.application.policies.apply('emptied', 'test', {}), { code: 'policy-empty' });
    assert.deepEqual(await idsOf('emptied'), [id]);
    const plan = await managed.application.policies.preview('emptied', { keepDaily: 1 });
    assert.equal(plan.keep[0]?.backup.id, id);
  });

  test('a resource with backups is deleted only with cascade', async () => {
    await post('deleted', 0);
    await post('deleted', 1, 'incremental');
    await assert.rejects(managed.application.resources.delete('deleted', { cascade: false, by: 'test' }), {
      code: 'resource-has-backups',
    });
    await managed.application.resources.delete('deleted', { cascade: true, by: 'test' });
    assert.deepEqual(await idsOf('deleted'), []);
    await assert.rejects(managed.application.resources.get('deleted'), { code: 'resource-not-found' });
  });
});

describe('the catalogue and the repository', () => {
  test('are brought in line: a lost catalogue is rebuilt, a lost snapshot is no longer listed', async () => {
    const place = await temporaryFolder();
    try {
      const first = await openManagedApplication(place.folder);
      const request = { resourceId: 'shop', resourceType: 'database', service: 'document' as const, createdBy: 'test' };
      const made: Backup[] = [];
      for (const type of ['full', 'incremental', 'incremental'] as const) {
        const input = bytesOf({ filler: 'x'.repeat(2000), type, n: made.length });
        made.push(await first.application.backups.createPosted({ ...request, type, input }));
      }
      for (const { id } of made) await first.catalogue.backups.delete(id);
      await first.catalogue.resources.delete('shop');
      assert.deepEqual(await first.application.repositories.reconcile('default'), {
        added: 3,
        removed: 0,
        unreadable: [],
      });
      assert.deepEqual((await first.catalogue.backups.allOf('shop')).toReversed(), made);
      assert.equal((await first.application.resources.get('shop')).type, 'database');
      const [, , newest] = made;
      await first.repository.forgetSnapshot(newest!.id, { trashDays: 7, reason: 'test' });
      assert.deepEqual(await first.application.repositories.reconcile('default'), {
        added: 0,
        removed: 1,
        unreadable: [],
      });
      assert.deepEqual(await first.application.repositories.reconcile('default'), {
        added: 0,
        removed: 0,
        unreadable: [],
      });
      await first.application.close();
    } finally {
      await place.remove();
    }
  });
});
