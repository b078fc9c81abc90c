import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { RestoreOperation } from '../src/core/application.ts';
import type { Backup } from '../src/core/backup.ts';
import type { RestorePlan } from '../src/core/restore-plan.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import { createSqliteService } from '../src/services/sqlite/sqlite-service.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';
import { bytesOf, type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';
import { ScriptedSource } from './scripted-source.ts';

describe('a restore into another resource, and its plan', () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;
  const at = (...names: string[]) => path.join(place.folder, 'data', ...names);

  before(async () => {
    place = await temporaryFolder();
    managed = await openManagedApplication(place.folder, {
      services: [
        createDocumentService({ documentLimitBytes: 1 << 20, documentDepthLimit: 100, maxChainLength: 50 }),
        createStreamService(),
        createFilesService(),
        createSqliteService(),
        new ScriptedSource(),
      ],
    });
    await mkdir(at('shop', 'etc'), { recursive: true });
    await writeFile(at('shop', 'readme.txt'), 'hello');
    await writeFile(at('shop', 'etc', 'app.conf'), 'port=1');
  });
  after(async () => {
    await managed.application.close();
    await place.remove();
  });

  const put = (id: string, service: string, configuration: Record<string, unknown>) =>
    managed.application.resources.put({ id, service, configuration });

  async function backUp(resourceId: string): Promise<Backup> {
    const { backups, operations } = managed.application;
    const started = await backups.start({ resourceId, createdBy: 'test' });
    const ended = await operations.wait(started.id, 120_000);
    assert.equal(ended.status, 'completed', JSON.stringify(ended.error));
    return backups.get(ended.backupId ?? '');
  }

  async function restore(
    { id }: Backup,
    targetResourceId: string | undefined,
    options: Record<string, unknown> = {},
  ): Promise<RestoreOperation> {
    const { restores, operations } = managed.application;
    const target = targetResourceId === undefined ? {} : { targetResourceId };
    const { operation } = await restores.restore({ backupId: id, createdBy: 'test', options, ...target });
    await operations.wait(operation.id, 120_000);
    return restores.get(operation.id);
  }

  const planOf = ({ status, error, result }: RestoreOperation): RestorePlan => {
    assert.equal(status, 'completed', JSON.stringify(error));
    return result?.plan as RestorePlan;
  };

  test('files go to its paths, whatever they are called, and nothing there is overwritten unasked', async () => {
    await put('shop', 'files', { paths: [at('shop')] });
    await put('copy', 'files', { paths: [at('elsewhere', 'copied')] });
    const backup = await backUp('shop');
    const plan = planOf(await restore(backup, 'copy', { dryRun: true }));
    assert.equal(plan.created.count, 2);
    assert.equal(plan.bytes, 11);
    assert.equal(plan.estimatedFrom, 'the backup');
    assert.ok((plan.estimatedSeconds ?? 0) >= 1);
    await assert.rejects(readdir(at('elsewhere')), { code: 'ENOENT' });

    assert.equal((await restore(backup, 'copy')).status, 'completed');
    assert.equal(await readFile(at('elsewhere', 'copied', 'etc', 'app.conf'), 'utf8'), 'port=1');
    assert.deepEqual((await readdir(at('elsewhere'))).sort(), ['copied']);
    await writeFile(at('elsewhere', 'copied', 'readme.txt'), 'changed there');
    const refused = await restore(backup, 'copy');
    assert.deepEqual([refused.status, refused.error?.code], ['failed', 'file-exists']);
    assert.match(refused.error?.message ?? '', /elsewhere\/copied/);
    const blocked = planOf(await restore(backup, 'copy', { dryRun: true }));
    assert.deepEqual([blocked.created.count, blocked.blocked.count], [0, 2]);
    assert.equal(blocked.estimatedFrom, 'earlier restores');
    const replacing = planOf(await restore(backup, 'copy', { dryRun: true, conflict: 'overwrite' }));
    assert.deepEqual([replacing.replaced.count, replacing.blocked.count], [2, 0]);
    const skipping = planOf(await restore(backup, 'copy', { dryRun: true, conflict: 'skip' }));
    assert.deepEqual([skipping.skipped.count, skipping.bytes], [2, 0]);
    assert.equal(
      (await restore(backup, 'copy', { conflict: 'overwrite', paths: [at('shop', 'readme.txt')] })).status,
      'completed',
    );
    assert.equal(await readFile(at('elsewhere', 'copied', 'readme.txt'), 'utf8'), 'hello');
    assert.equal(await readFile(at('shop', 'readme.txt'), 'utf8'), 'hello');
  });

  test('several paths go to paths that lie alike, one inside another too; others are refused', async () => {
    await mkdir(at('many', 'a', 'inner'), { recursive: true });
    await mkdir(at('many', 'b'));
    await writeFile(at('many', 'a', 'inner', '1'), '1');
    await writeFile(at('many', 'b', '2'), '22');
    await put('many', 'files', { paths: [at('many', 'a'), at('many', 'a', 'inner'), at('many', 'b')] });
    await put('alike', 'files', { paths: [at('to', 'a'), at('to', 'a', 'inner'), at('to', 'b')] });
    await put('unlike', 'files', { paths: [at('to', 'x'), at('to', 'y'), at('to', 'z')] });
    await put('fewer', 'files', { paths: [at('to', 'a')] });
    const backup = await backUp('many');
    assert.equal((await restore(backup, 'alike')).status, 'completed');
    assert.equal(await readFile(at('to', 'a', 'inner', '1'), 'utf8'), '1');
    assert.equal(await readFile(at('to', 'b', '2'), 'utf8'), '22');
    for (const id of ['unlike', 'fewer']) {
      const refused = await restore(backup, id);
      assert.deepEqual([refused.status, refused.error?.code], ['failed', 'restore-target-paths-differ']);
    }
  });

  test('a database goes to its path, and is overwritten only if that is said', async () => {
    await mkdir(at('db'));
    const source = new DatabaseSync(at('db', 'shop.db'));
    source.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)');
    source.close();
    await put('shop-db', 'sqlite', { path: at('db', 'shop.db') });
    await put('other-db', 'sqlite', { path: at('db', 'other.db') });
    const backup = await backUp('shop-db');
    const before = planOf(await restore(backup, 'other-db', { dryRun: true }));
    assert.deepEqual(before.created.names, [at('db', 'other.db')]);
    assert.equal(before.bytes, backup.size);
    assert.equal((await restore(backup, 'other-db')).status, 'completed');
    const restored = new DatabaseSync(at('db', 'other.db'));
    assert.equal(restored.prepare('SELECT count(*) AS n FROM t').get()?.n, 2);
    restored.close();
    assert.equal((await restore(backup, 'other-db')).error?.code, 'file-exists');
    const again = planOf(await restore(backup, 'other-db', { dryRun: true, conflict: 'overwrite' }));
    assert.deepEqual([again.created.count, again.replaced.names], [0, [at('db', 'other.db')]]);
    assert.equal((await restore(backup, 'other-db', { conflict: 'overwrite' })).status, 'completed');
  });

  test('two places at once, a resource that is not there and one of another service are refused at once', async () => {
    const backup = await backUp('shop');
    for (const options of [{ target: at('x') }, { inPlace: true }]) {
      const both = await restore(backup, 'copy', options);
      assert.deepEqual([both.status, both.error?.code], ['failed', 'options-invalid']);
    }
    await assert.rejects(restore(backup, 'nobody'), { kind: 'not-found', code: 'restore-target-not-found' });
    await assert.rejects(restore(backup, 'other-db'), { kind: 'conflict', code: 'restore-target-of-other-service' });
    await put('scripted-1', 'scripted', {});
    await put('scripted-2', 'scripted', {});
    const scripted = await backUp('scripted-1');
    await assert.rejects(restore(scripted, 'scripted-2'), { code: 'restore-target-unsupported' });
  });

  test('for posted content the target is a label, and a plan says that nothing is touched', async () => {
    const { backups, restores, operations } = managed.application;
    const posted = (service: 'document' | 'stream') =>
      backups.createPosted({ resourceId: `a-${service}`, service, input: bytesOf({ a: 1 }), createdBy: 'test' });
    const document = await posted('document');
    const { operation, data } = await restores.restore({
      backupId: document.id,
      createdBy: 'test',
      targetResourceId: 'never-made',
    });
    assert.equal(operation.targetResourceId, 'never-made');
    assert.equal(Buffer.from(data ?? []).toString(), '{"a":1}');
    const dry = await restores.restore({ backupId: document.id, createdBy: 'test', options: { dryRun: true } });
    assert.equal(dry.data, undefined);
    assert.equal(dry.operation.validated, false);
    assert.equal(planOf(dry.operation).bytes, 7);
    await assert.rejects(restores.restore({ backupId: document.id, createdBy: 'test', options: { dryRun: 1 } }), {
      code: 'options-invalid',
    });
    const stream = await posted('stream');
    const started = await restores.restore({ backupId: stream.id, createdBy: 'test', options: { dryRun: true } });
    await operations.wait(started.operation.id, 60_000);
    assert.match(planOf(await restores.get(started.operation.id)).created.names[0] ?? '', /GET \/backups/);
  });
});
