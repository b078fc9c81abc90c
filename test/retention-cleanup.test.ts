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

test('a cleanup that runs while Holdfast ends stops between two backups, and fails with nothing', async () => {
  const place = await temporaryFolder();
  const { application, catalogue, notifications, advance } = await openManagedApplication(place.folder);
  for (const n of [1, 2, 3])
    await application.backups.createPosted({
      ...{ resourceId: `late-${n}`, service: 'document', input: bytesOf({ n }), createdBy: 'test' },
      metadata: { retentionDays: 1 },
    });
  advance(2 * DAY);
  let closing: Promise<void> | undefined;
  const { deleteUnlessHeld } = catalogue.backups;
  replaced(catalogue.backups, 'deleteUnlessHeld', (id) => {
    closing ??= application.close();
    return deleteUnlessHeld(id);
  });
  const report = await application.policies.cleanUp('test');
  await closing;
  assert.deepEqual([report.forgotten.length, report.kept, report.errors], [1, 2, []]);
  assert.deepEqual(
    notifications.filter(({ type }) => type === 'cleanup-failed'),
    [],
  );
  await place.remove();
});

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

  test('a hold, or a longer life, that comes while a cleanup runs is heeded', async () => {
    const [held, prolonged, gone] = await Promise.all([1, 2, 3].map((n) => post(`late-${n}`, n, 'full', 1)));
    managed.advance(2 * DAY);
    const { backups } = managed.catalogue;
    const { expired } = backups;
    const restore = replaced(backups, 'expired', async (time) => {
      const found = await expired(time);
      await managed.application.backups.update(held!.id, { held: true });
      await managed.application.backups.update(prolonged!.id, { retentionDays: 30 });
      return found;
    });
    try {
      const report = await managed.application.policies.cleanUp('test');
      assert.deepEqual([report.forgotten, report.errors], [[gone!.id], []]);
    } finally {
      restore();
    }
    await managed.application.backups.update(held!.id, { held: false });
    await managed.application.backups.delete(held!.id, how);
  });

  test('a hold that comes while a backup is being deleted keeps it, or is told that it came too late', async () => {
    const { id } = await post('raced', 0);
    const { backups } = managed.catalogue;
    const { dependants, update } = backups;
    const hold = () => managed.application.backups.update(id, { held: true });
    let restore = replaced(backups, 'dependants', async (asked) => {
      restore();
      await hold();
      return dependants(asked);
    });
    await assert.rejects(managed.application.backups.delete(id, how), { code: 'backup-held' });
    assert.equal((await managed.application.backups.get(id)).held, true);
    await managed.application.backups.update(id, { held: false });
    restore = replaced(backups, 'update', async (asked, change) => {
      restore();
      await managed.application.backups.delete(id, how);
      return update(asked, change);
    });
    await assert.rejects(hold(), { code: 'backup-not-found' });
    assert.deepEqual(await idsOf('raced'), []);
  });

  test('a backup that a policy cannot forget keeps no other one from being forgotten', async () => {
    const made: Backup[] = [];
    for (let n = 0; n < 4; n++) made.push(await post('stubborn', n));
    await managed.application.policies.put({ id: 'last', name: 'last', rules: { keepLast: 1 } });
    await managed.application.resources.put({ id: 'stubborn', service: 'document', policyId: 'last' });
    const { repository } = managed;
    const forget = repository.forgetSnapshot.bind(repository);
    const restore = replaced(repository, 'forgetSnapshot', async (id, options) => {
      if (id === made[1]?.id) throw new Error('the disk is read-only');
      return forget(id, options);
    });
    try {
      const report = await managed.application.policies.cleanUp('test');
      assert.deepEqual(report.errors, [`forgetting ${made[1]?.id}: the disk is read-only`]);
      assert.deepEqual([...report.forgotten].sort(), [made[0]!.id, made[2]!.id].sort());
      assert.deepEqual(await idsOf('stubborn'), [made[1]!.id, made[3]!.id]);
    } finally {
      restore();
    }
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

/** Lets something else happen in a method. @returns what ends that */
function replaced<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  by: Owner[Name],
): () => void {
  const own = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, { value: by, configurable: true, writable: true });
  return () => {
    if (own === undefined) Reflect.deleteProperty(owner, name);
    else Object.defineProperty(owner, name, own);
  };
}
