import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { failing, Service } from './service-process.ts';

describe('a service that is killed', () => {
  let folder: string;
  let service: Service | undefined;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-restart-'));
  });
  after(async () => {
    await service?.end('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  });

  test('loses no backup that it reported complete, and runs again at once', async () => {
    service = await Service.start(path.join(folder, 'data'));
    const killed = service;
    const reported: string[] = [];
    const posting = Array.from({ length: 4 }, async (_, client) => {
      for (let n = 0; ; n++) {
        const data = { filler: randomBytes(2000).toString('hex'), n };
        const body = JSON.stringify({
          resourceId: `client-${client}`,
          type: n % 5 === 0 ? 'full' : 'incremental',
          data,
        });
        const answer = await killed.call('POST', '/backups', body).catch(() => undefined);
        if (answer === undefined) return;
        reported.push(String(answer.id));
      }
    });
    await eventually(() => reported.length >= 40, 'too few backups were reported');
    await killed.end('SIGKILL');
    await Promise.all(posting);

    service = await Service.start(path.join(folder, 'data'));
    for (const backupId of reported) {
      const { operation } = await service.call('POST', '/restore', JSON.stringify({ backupId, createdBy: 'test' }));
      assert.equal((operation as { status: string }).status, 'completed');
    }
  });

  test('does an operation again that was cut off', async () => {
    const tree = path.join(folder, 'tree');
    await mkdir(tree);
    for (let n = 0; n < 4; n++) await writeFile(path.join(tree, `file-${n}`), randomBytes(8 << 20));
    const running = service as Service;
    const resource = { service: 'files', configuration: { paths: [tree] } };
    await running.call('PUT', '/resources/tree', JSON.stringify(resource));
    const { id } = await running.call('POST', '/backups', JSON.stringify({ resourceId: 'tree' }));
    await running.end('SIGKILL');

    service = await Service.start(path.join(folder, 'data'));
    let operation = await service.call('GET', `/operations/${id}`);
    for (let waited = 0; operation.status !== 'completed' && waited < 30_000; waited += 50) {
      assert.notEqual(operation.status, 'failed', JSON.stringify(operation.error));
      await sleep(50);
      operation = await service.call('GET', `/operations/${id}`);
    }
    const validation = await service.call('POST', `/backups/${operation.backupId}/validate`);
    assert.equal(validation.valid, true);
  });

  test('refuses a second process on its data folder, and never makes a new key for an old repository', async () => {
    const data = path.join(folder, 'data');
    const second = await failing(data);
    assert.match(second, /serving the data folder/);
    await service?.end('SIGTERM');
    service = undefined;
    const keyFile = path.join(data, 'keys', 'holdfast.key');
    await rename(keyFile, `${keyFile}.elsewhere`);
    assert.match(await failing(data), /is there, but its key file .* is gone/);
    await assert.rejects(stat(keyFile), { code: 'ENOENT' });
    await rename(`${keyFile}.elsewhere`, keyFile);
  });
});
