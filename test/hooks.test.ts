import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { HookConfiguration } from '../src/core/hook-configuration.ts';
import type { Operation } from '../src/core/operation.ts';
import { createProcessHookRunner } from '../src/hooks/process-hook-runner.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { eventually } from './eventually.ts';
import { bytesOf, type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';
import { ScriptedSource } from './scripted-source.ts';

/** Writes a line about itself into the log that its first argument names, and does what its second one says. */
const HOOK = `
  import { appendFileSync } from 'node:fs';
  const [log, name, deed] = process.argv.slice(1);
  const { HOLDFAST_EVENT, HOLDFAST_RESOURCE_ID, HOLDFAST_BACKUP_ID = '-', HOLDFAST_OPERATION_ID = '-', HOLDFAST_OUTCOME = '-' } = process.env;
  appendFileSync(log, [name, HOLDFAST_EVENT, HOLDFAST_RESOURCE_ID, HOLDFAST_BACKUP_ID, HOLDFAST_OPERATION_ID, HOLDFAST_OUTCOME].join(' ') + '\\n');
  if (deed === 'fail') { console.error('the disk of the application is gone'); process.exit(3); }
  if (deed === 'wait') setInterval(() => {}, 1000);`;

describe('hooks around backups and restores', () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;
  let log: string;
  const hooks: HookConfiguration[] = [];
  const source = new ScriptedSource();

  before(async () => {
    place = await temporaryFolder();
    log = path.join(place.folder, 'hooks.log');
    managed = await openManagedApplication(place.folder, {
      services: [
        source,
        createDocumentService({ documentLimitBytes: 1 << 20, documentDepthLimit: 100, maxChainLength: 50 }),
      ],
      hooks: createProcessHookRunner(hooks, async () => ''),
    });
    await managed.application.resources.put({ id: 'shop', service: 'scripted' });
  });
  beforeEach(async () => {
    source.reset();
    hooks.splice(0);
    managed.notifications.splice(0);
    await rm(log, { force: true });
  });
  after(async () => {
    await managed.application.close();
    await place.remove();
  });

  function configure(when: HookConfiguration['when'], name: string, deed = '', more: Partial<HookConfiguration> = {}) {
    hooks.push({
      when,
      resources: ['*'],
      command: [process.execPath, '--input-type=module', '--eval', HOOK, log, name, deed],
      timeoutSeconds: 120,
      environment: {},
      onFailure: when.startsWith('before') ? 'fail' : 'warn',
      ...more,
    });
  }

  const lines = async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  const start = () => managed.application.backups.start({ resourceId: 'shop', createdBy: 'test' });
  const ended = (operation: { id: string }): Promise<Operation> =>
    managed.application.operations.wait(operation.id, 120_000);
  const post = (signal?: AbortSignal) =>
    managed.application.backups.createPosted({
      resourceId: 'state',
      service: 'document',
      input: bytesOf({ users: [1, 2] }),
      createdBy: 'test',
      ...(signal === undefined ? {} : { signal }),
    });

  test('they run in the order of the file, and are told the backup, the operation and how it ended', async () => {
    configure('before-backup', 'stop');
    configure('after-backup', 'start');
    configure('before-backup', 'flush');
    configure('after-restore', 'other');
    const operation = await ended(await start());
    assert.equal(operation.status, 'completed');
    assert.deepEqual(await lines(), [
      `stop before-backup shop - ${operation.id} -`,
      `flush before-backup shop - ${operation.id} -`,
      `start after-backup shop ${operation.backupId} ${operation.id} completed`,
    ]);
    assert.deepEqual(operation.warnings, []);
  });

  test('one before a backup that fails stops it with what it said; those after it run, those before it do not', async () => {
    configure('before-backup', 'stop', 'fail');
    configure('before-backup', 'flush');
    configure('after-backup', 'start');
    const before = await managed.repository.listSnapshots();
    const operation = await ended(await start());
    assert.deepEqual([operation.status, operation.error?.code, operation.attempts], ['failed', 'hook-failed', 1]);
    assert.match(operation.error?.message ?? '', /exit status 3: the disk of the application is gone\./);
    assert.deepEqual(await lines(), [
      `stop before-backup shop - ${operation.id} -`,
      `start after-backup shop - ${operation.id} failed`,
    ]);
    assert.deepEqual(await managed.repository.listSnapshots(), before);
    assert.ok(managed.notifications.some(({ type }) => type === 'backup-failed'));
  });

  test('one that may fail is a warning of the backup, and somebody is told', async () => {
    configure('before-backup', 'flush', 'fail', { onFailure: 'warn' });
    const operation = await ended(await start());
    assert.equal(operation.status, 'completed');
    const backup = await managed.application.backups.get(operation.backupId ?? '');
    assert.match(backup.warnings[0] ?? '', /the disk of the application is gone/);
    assert.deepEqual(operation.warnings, backup.warnings);
    assert.ok(managed.notifications.some(({ type, subject }) => type === 'hook-failed' && subject === 'shop'));
  });

  test('one after a backup that fails leaves the backup complete, with a warning of the operation', async () => {
    configure('after-backup', 'start', 'fail');
    configure('after-backup', 'tell');
    const operation = await ended(await start());
    assert.equal(operation.status, 'completed');
    assert.match(operation.warnings[0] ?? '', /hook after-backup .*exit status 3/);
    assert.equal((await lines()).length, 2);
    assert.ok((await managed.repository.listSnapshots()).includes(operation.backupId ?? ''));
    assert.ok(managed.notifications.some(({ type }) => type === 'hook-failed'));
  });

  test('those after a backup that failed are told so', async () => {
    configure('after-backup', 'start');
    source.faults.push(new HoldfastError('denied', 'source-denied', 'The source refuses.'));
    const operation = await ended(await start());
    assert.equal(operation.error?.code, 'source-denied');
    assert.deepEqual(await lines(), [`start after-backup shop - ${operation.id} failed`]);
  });

  test('a cancellation ends the hook before a backup, and those after it still run', async () => {
    configure('before-backup', 'stop', 'wait');
    configure('after-backup', 'start');
    const { id } = await start();
    await eventually(async () => (await lines()).length > 0, 'the hook did not begin');
    await managed.application.operations.cancel(id);
    assert.equal((await ended({ id })).status, 'cancelled');
    assert.deepEqual(await lines(), [`stop before-backup shop - ${id} -`, `start after-backup shop - ${id} cancelled`]);
  });

  test('a hook whose time is over stops the backup and says so', async () => {
    configure('before-backup', 'stop', 'wait', { timeoutSeconds: 1 });
    const operation = await ended(await start());
    assert.deepEqual([operation.status, operation.error?.code], ['failed', 'hook-timed-out']);
  });

  test('backups of one resource that have hooks take turns, so that no hook runs in the midst of another backup', async () => {
    configure('before-backup', 'stop');
    configure('after-backup', 'start');
    const both = await Promise.all([start(), start()]);
    await Promise.all(both.map(ended));
    assert.deepEqual(
      (await lines()).map((line) => line.split(' ')[0]),
      ['stop', 'start', 'stop', 'start'],
    );
  });

  test('posted backups have hooks too, and one that refuses leaves nothing', async () => {
    configure('before-backup', 'stop', '', { resources: ['sta*'] });
    configure('after-backup', 'start', '', { resources: ['state'] });
    configure('after-backup', 'other', '', { resources: ['shop'] });
    const backup = await post();
    assert.deepEqual(await lines(), [
      'stop before-backup state - - -',
      `start after-backup state ${backup.id} - completed`,
    ]);
    hooks[0] = { ...hooks[0]!, command: ['/nonexistent/program'] };
    const before = await managed.repository.listSnapshots();
    await assert.rejects(post(), { code: 'hook-not-started' });
    assert.deepEqual(await managed.repository.listSnapshots(), before);
  });

  test('restores have hooks, documents as well, chosen by the resource that is restored into; a dry run has none', async () => {
    const { backupId = '' } = await ended(await start());
    const document = await post();
    configure('before-restore', 'stop', '', { resources: ['elsewhere'] });
    configure('after-restore', 'start');
    const { restores } = managed.application;
    const dry = await restores.restore({ backupId, createdBy: 'test', options: { dryRun: true } });
    await ended(dry.operation);
    assert.deepEqual(await lines(), []);
    const fetched = await restores.restore({ backupId, createdBy: 'test' });
    await ended(fetched.operation);
    const posted = await restores.restore({ backupId: document.id, createdBy: 'test', targetResourceId: 'elsewhere' });
    assert.deepEqual(await lines(), [
      `start after-restore shop ${backupId} ${fetched.operation.id} completed`,
      `stop before-restore state ${document.id} ${posted.operation.id} -`,
      `start after-restore state ${document.id} ${posted.operation.id} completed`,
    ]);
  });

  test('one before a restore that fails stops it, and the operation says why', async () => {
    const document = await post();
    configure('before-restore', 'stop', 'fail');
    await assert.rejects(managed.application.restores.restore({ backupId: document.id, createdBy: 'test' }), {
      code: 'hook-failed',
    });
    const { items } = await managed.application.restores.list({}, { limit: 1 });
    assert.deepEqual([items[0]?.status, items[0]?.error?.code], ['failed', 'hook-failed']);
  });
});
