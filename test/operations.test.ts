import assert from 'node:assert/strict';
import { chmod, truncate } from 'node:fs/promises';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../src/core/errors.ts';
import type { ManagerContext } from '../src/core/manager-context.ts';
import type { Operation } from '../src/core/operation.ts';
import { adoptOrphans } from '../src/core/orphaned-operations.ts';
import { DAY, type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';
import { ScriptedSource } from './scripted-source.ts';

describe('operations', () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;
  const source = new ScriptedSource();

  before(async () => {
    place = await temporaryFolder();
    managed = await openManagedApplication(place.folder, { services: [source] });
    await managed.application.resources.put({ id: 'shop', service: 'scripted' });
  });
  beforeEach(() => source.reset());
  after(async () => {
    await managed.application.close();
    await place.remove();
  });

  const start = () => managed.application.backups.start({ resourceId: 'shop', createdBy: 'test' });
  const ended = (operation: Operation) => managed.application.operations.wait(operation.id, 20_000);

  test('a backup that Holdfast fetches runs as an operation and ends with the backup', async () => {
    const operation = await ended(await start());
    assert.equal(operation.status, 'completed');
    assert.equal(operation.progress.percent, 100);
    assert.equal(operation.attempts, 1);
    const backup = await managed.application.backups.get(operation.backupId ?? '');
    assert.equal(backup.resourceId, 'shop');
    assert.equal(operation.result?.backupId, backup.id);
  });

  test('faults that may pass are tried again, and the attempts are on record', async () => {
    source.faults.push(new HoldfastError('unavailable', 'source-busy', 'The source is busy.'));
    const operation = await ended(await start());
    assert.deepEqual([operation.status, operation.attempts], ['completed', 2]);
  });

  test('other faults end the operation at once with code, kind and message, and leave no backup', async () => {
    const before = await managed.repository.listSnapshots();
    source.faults.push(new HoldfastError('denied', 'source-denied', 'The source refuses.'));
    const operation = await ended(await start());
    assert.deepEqual([operation.status, operation.attempts], ['failed', 1]);
    assert.deepEqual(operation.error, { code: 'source-denied', message: 'The source refuses.', kind: 'denied' });
    assert.deepEqual(await managed.repository.listSnapshots(), before);
  });

  test('one who watches sees progress and the end; one who cancels ends it without a backup', async () => {
    source.endless = true;
    const begun = await start();
    const states: Operation[] = [];
    for await (const state of managed.application.operations.watch(begun.id, new AbortController().signal)) {
      states.push(state);
      if (state.progress.phase === 'reading' && state.status === 'running') {
        void managed.application.operations.cancel(begun.id);
      }
    }
    assert.equal(states.at(-1)?.status, 'cancelled');
    assert.ok(states.some(({ progress }) => progress.phase === 'reading'));
    assert.equal((await managed.application.operations.get(begun.id)).backupId, undefined);
    await assert.rejects(managed.application.operations.cancel(begun.id), { code: 'operation-ended' });
  });

  test('waiting ends with the time, while the operation goes on', async () => {
    source.endless = true;
    const begun = await start();
    const still = await managed.application.operations.wait(begun.id, 50);
    assert.notEqual(still.status, 'completed');
    await managed.application.operations.cancel(begun.id);
  });

  test('a check that finds nothing completes; one that finds damage fails, marks the backups and tells somebody', async () => {
    const check = async () =>
      ended(await managed.application.repositories.startVerify('default', { level: 1, createdBy: 'test' }));
    const { backupId } = await ended(await start());
    const sound = await check();
    assert.deepEqual([sound.status, sound.result?.findingCount], ['completed', 0]);
    const damaged = `snapshots/${backupId}`;
    await chmod(path.join(place.folder, 'repository', damaged), 0o600);
    await truncate(path.join(place.folder, 'repository', damaged), 200);
    const found = await check();
    assert.deepEqual([found.status, found.error?.code], ['failed', 'damage-found']);
    assert.equal(found.result?.findingCount, 1);
    assert.equal((await managed.application.backups.get(backupId ?? '')).status, 'damaged');
    assert.ok(managed.notifications.some(({ type }) => type === 'damage-found'));
    await managed.application.backups.delete(backupId ?? '', { cascade: false, reason: 'damaged', by: 'test' });
  });

  test('what a process left behind is queued again if it can be repeated, otherwise failed with advice', async () => {
    const { operations } = managed.catalogue;
    const rows = [
      orphan('operation-repeatable', 'backup', 1),
      orphan('operation-exhausted', 'backup', 3),
      orphan('restore-halfway', 'restore', 1),
    ];
    for (const row of rows) await operations.insertRunning(row, 'process-that-is-gone');
    await operations.insertRunning(orphan('operation-alive', 'backup', 1), 'process-that-lives');
    const nothing = () => undefined;
    const context = {
      catalogue: managed.catalogue,
      owner: 'this-process',
      clock: { now: managed.now },
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    } as unknown as ManagerContext;
    await adoptOrphans(context, (owner) => owner === 'process-that-lives');
    const status = async (id: string) => (await operations.get(id))?.status;
    assert.equal(await status('operation-repeatable'), 'queued');
    assert.equal(await status('operation-exhausted'), 'failed');
    assert.equal(await status('restore-halfway'), 'failed');
    assert.equal(await status('operation-alive'), 'running');
    const { error } = (await operations.get('restore-halfway')) ?? {};
    assert.equal(error?.code, 'interrupted');
    assert.match(error?.message ?? '', /start the restore again/);
  });

  test('what a shutdown cuts off goes back into the queue and leaves no backup', async () => {
    const other = await openManagedApplication(place.folder, { services: [source] });
    source.endless = true;
    const begun = await other.application.backups.start({ resourceId: 'shop', createdBy: 'test' });
    const snapshots = await managed.repository.listSnapshots();
    await other.application.close(0);
    assert.equal((await managed.application.operations.get(begun.id)).status, 'queued');
    assert.deepEqual(await managed.repository.listSnapshots(), snapshots);
  });

  test('schedules say when they run next, in their zone, and refuse what never comes', async () => {
    const { schedules } = managed.application;
    const daily = await schedules.put({ id: 'daily', resourceId: 'shop', cron: '30 2 * * *', timeZone: 'Asia/Tokyo' });
    assert.match(daily.nextRunAt ?? '', /T17:30:00\.000Z$/);
    const paused = await schedules.put({ id: 'daily', resourceId: 'shop', cron: '@daily', enabled: false });
    assert.equal(paused.nextRunAt, undefined);
    assert.equal(paused.createdAt, daily.createdAt);
    for (const cron of ['every day', '* * * *', '0 0 31 2 *', '']) {
      await assert.rejects(
        schedules.put({ resourceId: 'shop', cron }),
        { code: 'cron-invalid', message: /[^.]\. Use five fields/ },
        cron,
      );
    }
    await assert.rejects(schedules.put({ resourceId: 'nowhere', cron: '@daily' }), { code: 'resource-not-found' });
    await assert.rejects(schedules.put({ resourceId: 'shop', cron: '@daily', timeZone: 'x' }), {
      code: 'time-zone-unknown',
    });
    await schedules.delete('daily');
    await assert.rejects(schedules.get('daily'), { code: 'schedule-not-found' });
  });

  test('operations that ended long ago are deleted with the cleanup, and those that wait stay', async () => {
    const old = await ended(await start());
    const waiting = orphan('operation-waiting', 'backup', 0);
    await managed.catalogue.operations.insertRunning(waiting, 'another process');
    managed.advance(91 * DAY);
    const recent = await ended(await start());
    await managed.application.policies.cleanUp('test');
    await assert.rejects(managed.application.operations.get(old.id), { code: 'operation-not-found' });
    assert.equal((await managed.application.operations.get(recent.id)).status, 'completed');
    assert.equal((await managed.application.operations.get(waiting.id)).status, 'running');
  });
});

describe('a service that starts', () => {
  test('makes up once for what was due while it did not run', async (context) => {
    const place = await temporaryFolder();
    const source = new ScriptedSource();
    const before = await openManagedApplication(place.folder, { services: [source] });
    await before.application.resources.put({ id: 'shop', service: 'scripted' });
    await before.application.schedules.put({ id: 'nightly', resourceId: 'shop', cron: '30 2 * * *' });
    const paused = { id: 'paused', resourceId: 'shop', cron: '30 2 * * *', enabled: false };
    await before.application.schedules.put(paused);
    await before.application.close();
    const { application, advance } = await openManagedApplication(place.folder, { services: [source] });
    context.after(async () => {
      await application.close();
      await place.remove();
    });
    advance(3 * DAY);
    await application.startBackground();
    for (let round = 0; (await application.schedules.get('nightly')).lastRunAt === undefined; round++) {
      assert.ok(round < 1000, 'it did not run');
      await sleep(10);
    }
    const { items } = await application.operations.list({}, { limit: 10 });
    assert.deepEqual(
      items.map(({ createdBy }) => createdBy),
      ['schedule:nightly'],
    );
  });
});

function orphan(id: string, kind: Operation['kind'], attempts: number): Operation {
  const createdAt = '2026-01-01T00:00:00.000Z';
  const input = { type: 'full' };
  return {
    id,
    kind,
    status: 'running',
    input,
    progress: { percent: 5 },
    warnings: [],
    attempts,
    createdBy: 'x',
    createdAt,
  };
}
