import assert from 'node:assert/strict';
import { readdir, truncate } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Backup, BackupType } from '../src/core/backup.ts';
import {
  bytesOf,
  gather,
  type ManagedApplication,
  openManagedApplication,
  temporaryFolder,
} from './managed-application.ts';
import { makeStrange, STRANGE_PLACES } from './strange-snapshot.ts';

describe('documents that are backed up', () => {
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

  const post = (resourceId: string, data: unknown, type: BackupType = 'full', encrypt = true): Promise<Backup> =>
    managed.application.backups.createPosted({
      resourceId,
      resourceType: 'database',
      type,
      service: 'document',
      input: bytesOf(data),
      encrypt,
      createdBy: 'test',
    });
  const restored = async (backupId: string): Promise<unknown> => {
    const { data } = await managed.application.restores.restore({ backupId, createdBy: 'test' });
    return JSON.parse(Buffer.from(data!).toString());
  };

  test('come back through chains of incremental and differential backups, each as it was', async () => {
    const states = [{ users: ['a'] }, { users: ['a', 'b'] }, { users: ['a', 'b'], theme: 'dark' }, { users: [] }];
    const types: BackupType[] = ['full', 'incremental', 'differential', 'incremental'];
    const backups: Backup[] = [];
    for (const [index, type] of types.entries()) {
      // Long enough that a delta is smaller than the document.
      backups.push(await post('chained', { filler: 'x'.repeat(2000), ...states[index] }, type));
    }
    for (const [index, backup] of backups.entries()) {
      assert.equal(backup.type, types[index]);
      assert.deepEqual(await restored(backup.id), { filler: 'x'.repeat(2000), ...states[index] });
    }
    const [full, second, third, fourth] = backups;
    assert.deepEqual([second?.parentId, third?.parentId, fourth?.parentId], [full?.id, full?.id, third?.id]);
    assert.deepEqual(
      backups.map((backup) => backup.chainLength),
      [0, 1, 1, 2],
    );
    assert.deepEqual([...new Set(backups.slice(1).map((backup) => backup.baseFullId))], [full?.id]);
  });

  test('an incremental backup without a base becomes a full one and says so', async () => {
    const backup = await post('without-base', { a: 1 }, 'incremental');
    assert.equal(backup.type, 'full');
    assert.equal(backup.requestedType, 'incremental');
    assert.deepEqual(backup.warnings, ['No earlier backup of "without-base" to build on: made a full one.']);
  });

  test('an incremental backup of which the base seems to be by a newer version or under an unknown key becomes a full one', async () => {
    for (const at of STRANGE_PLACES) {
      const { id } = await post('strange-base', { at });
      await makeStrange(managed.storage, id, at);
      await managed.application.close();
      managed = await openManagedApplication(place.folder);
      const backup = await post('strange-base', { at, b: 1 }, 'incremental');
      assert.equal(backup.type, 'full');
      assert.match(backup.warnings[0] ?? '', new RegExp(`${id}, cannot be read .* made a full one`));
      assert.deepEqual(await restored(backup.id), { at, b: 1 });
    }
  });

  test('what must be encrypted never builds on what is not', async () => {
    await post('plain', { filler: 'x'.repeat(2000) }, 'full', false);
    const backup = await post('plain', { filler: 'x'.repeat(2000), b: 1 }, 'incremental', true);
    assert.deepEqual([backup.type, backup.requestedType, backup.encrypted], ['full', 'incremental', true]);
  });

  test('backups posted at once to one resource make one chain', async () => {
    await post('busy', { filler: 'x'.repeat(2000), n: -1 });
    const made = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((n) => post('busy', { filler: 'x'.repeat(2000), n }, 'incremental')),
    );
    assert.deepEqual(
      made.map((backup) => backup.chainLength).toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6],
    );
    for (const [n, backup] of made.entries()) {
      assert.equal(((await restored(backup.id)) as { n: number }).n, n);
    }
  });

  test('a chain is not longer than configured', async () => {
    const short = await temporaryFolder();
    const other = await openManagedApplication(short.folder, { configuration: { maxChainLength: 2 } });
    try {
      const types: BackupType[] = [];
      for (let n = 0; n < 5; n++) {
        const input = bytesOf({ filler: 'x'.repeat(2000), n });
        const request = {
          resourceId: 'x',
          type: 'incremental' as const,
          service: 'document' as const,
          createdBy: 'test',
        };
        types.push((await other.application.backups.createPosted({ ...request, input })).type);
      }
      assert.deepEqual(types, ['full', 'incremental', 'incremental', 'full', 'incremental']);
    } finally {
      await other.application.close();
      await short.remove();
    }
  });

  test('input that breaks off or is no JSON leaves no backup', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"a":');
      throw new Error('the connection was lost');
    }
    const request = { resourceId: 'broken', service: 'document' as const, createdBy: 'test' };
    await assert.rejects(
      managed.application.backups.createPosted({ ...request, input: broken() }),
      /connection was lost/,
    );
    await assert.rejects(managed.application.backups.createPosted({ ...request, input: bytesOf('{"a":') }), {
      code: 'document-syntax',
    });
    assert.equal(await managed.catalogue.backups.count({ resourceId: 'broken' }), 0);
    const listed = new Set(await managed.repository.listSnapshots());
    assert.deepEqual(listed, await managed.catalogue.backups.idsOf('default'));
  });

  test('a restore has the shape of the contract and stays on record', async () => {
    const backup = await post('shape', { users: [{ id: 1, name: 'Alice' }] });
    const { operation } = await managed.application.restores.restore({
      backupId: backup.id,
      targetResourceId: 'shape-restored',
      createdBy: 'admin',
      validate: true,
    });
    assert.match(operation.id, /^restore-/);
    const { status, validated, validationErrors, progress, targetResourceId, createdBy, type } = operation;
    assert.deepEqual(
      { status, validated, validationErrors, progress, targetResourceId, createdBy, type },
      {
        status: 'completed',
        validated: true,
        validationErrors: [],
        progress: 100,
        targetResourceId: 'shape-restored',
        createdBy: 'admin',
        type: 'full',
      },
    );
    assert.ok(operation.completedAt !== undefined);
    assert.deepEqual(await managed.application.restores.get(operation.id), operation);
    const { items } = await managed.application.restores.list({}, { limit: 1 });
    assert.equal(items[0]?.id, operation.id);
  });

  test('a restore fails with what is wrong with the backup, also where that cannot be recorded', async () => {
    const { id } = await post('unrecorded', { n: 1 });
    await managed.repository.forgetSnapshot(id, { trashDays: 1, reason: 'test' });
    const { operations } = managed.catalogue;
    const { update } = operations;
    Object.assign(operations, { update: () => Promise.reject(new Error('the catalogue is busy')) });
    try {
      const restoring = managed.application.restores.restore({ backupId: id, createdBy: 'test' });
      await assert.rejects(restoring, { code: 'snapshot-missing' });
    } finally {
      Object.assign(operations, { update });
    }
  });

  test('a moment without a fraction names its whole second, and there is nothing before the first backup', async () => {
    const first = await post('moments', { n: 1 });
    const request = { resourceId: 'moments', createdBy: 'test' };
    const timestamp = `${first.createdAt.slice(0, 19)}Z`;
    const { operation } = await managed.application.restores.restorePointInTime({ ...request, timestamp });
    assert.equal(operation.backupId, first.id);
    const before = new Date(Date.parse(first.createdAt) - 1000).toISOString();
    await assert.rejects(managed.application.restores.restorePointInTime({ ...request, timestamp: before }), {
      code: 'no-backup-at-time',
    });
    for (const none of ['2026-02-30T12:00:00Z', '1', first.createdAt.slice(0, 10)])
      await assert.rejects(managed.application.restores.restorePointInTime({ ...request, timestamp: none }), {
        code: 'timestamp-invalid',
      });
  });

  test('validation reads what is stored, warns of the near end, and tells damage', async () => {
    const { id } = await managed.application.backups.createPosted({
      resourceId: 'checked',
      service: 'document',
      input: bytesOf({ filler: Array.from({ length: 50_000 }, (_, n) => n) }),
      metadata: { retentionDays: 5, tags: {} },
      createdBy: 'test',
    });
    assert.deepEqual(await managed.application.backups.validate(id), {
      valid: true,
      errors: [],
      warnings: ['Backup expires in 5 days'],
      checksumValid: true,
      structureValid: true,
      dataIntegrity: true,
    });
    await truncateAllPacks(path.join(place.folder, 'repository'));
    // Another process, which has no chunk of it in memory.
    await managed.application.close();
    managed = await openManagedApplication(place.folder);
    const result = await managed.application.backups.validate(id);
    assert.deepEqual([result.valid, result.checksumValid, result.errors.length], [false, false, 1]);
    await assert.rejects(managed.application.restores.restore({ backupId: id, createdBy: 'test' }), {
      kind: 'damaged',
    });
    const { items } = await managed.application.restores.list({ status: 'failed' }, { limit: 1 });
    assert.equal(items[0]?.backupId, id);
    assert.equal(items[0]?.validationErrors.length, 1);
  });
});

describe('streams that are backed up', () => {
  test('come back byte for byte, and a restore verifies them and says where they are', async () => {
    const place = await temporaryFolder();
    const { application } = await openManagedApplication(place.folder);
    try {
      const backup = await application.backups.createPosted({
        resourceId: 'dump',
        service: 'stream',
        input: bytesOf('not JSON at all'),
        createdBy: 'test',
      });
      const content = await application.backups.content(backup.id, new AbortController().signal);
      assert.equal((await gather(content.bytes)).toString(), 'not JSON at all');
      const { operation, data } = await application.restores.restore({ backupId: backup.id, createdBy: 'test' });
      assert.equal(data, undefined);
      const ended = await application.operations.wait(operation.id, 10_000);
      assert.equal(ended.status, 'completed');
      assert.equal(ended.result?.bytes, 15);
      assert.equal(ended.result?.checksum, backup.checksum);
      assert.equal(ended.result?.content, `/backups/${backup.id}/content`);
      await assert.rejects(application.backups.start({ resourceId: 'dump', createdBy: 'test' }), {
        code: 'resource-is-posted',
      });
    } finally {
      await application.close();
      await place.remove();
    }
  });
});

async function truncateAllPacks(repository: string): Promise<void> {
  for (const entry of await readdir(path.join(repository, 'packs'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await truncate(path.join(entry.parentPath, entry.name), 100);
  }
}
