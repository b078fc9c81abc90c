import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Backup } from '../src/core/backup.ts';
import type { Operation } from '../src/core/operation.ts';
import { commandLine } from './command-line.ts';
import { eventually } from './eventually.ts';
import { finishedFile, plainDump } from './external-rig.ts';
import { Service } from './service-process.ts';

const COUNT = 12;

function configurationOf(folder: string): Record<string, unknown> {
  return {
    source: { kind: 'listing', patterns: ['shop-{yyyy}-{MM}-{dd}.sql.gz'] },
    objects: { kind: 'folder', folder },
    content: 'postgresql',
  };
}

function writeBackups(folder: string): void {
  for (let day = 1; day <= COUNT; day++) {
    const date = `2026-10-${String(day).padStart(2, '0')}`;
    finishedFile(path.join(folder, `shop-${date}.sql.gz`), gzipSync(plainDump(date, 5000)));
  }
}

describe('the backups of another tool, through both doors', () => {
  it('are adopted by a request that outlives a killed service, each once', async (t) => {
    const { folder, data } = await commandLine(t);
    const backups = path.join(folder, 'backups');
    writeBackups(backups);
    let service = await Service.start(data);
    await service.call(
      'PUT',
      '/resources/shop',
      JSON.stringify({ service: 'external', configuration: configurationOf(backups) }),
    );
    const test = await service.call('POST', '/resources/shop/test');
    assert.equal(test.ok, true, JSON.stringify(test));
    const { id } = (await service.call('POST', '/resources/shop/adopt', '{"all": true}')) as unknown as Operation;
    const adopted = async () => (await service.call('GET', '/backups?resourceId=shop')) as unknown as Backup[];
    await eventually(async () => (await adopted()).length >= 3, 'fewer than three backups were adopted');
    await service.end('SIGKILL');

    service = await Service.start(data);
    let operation: Operation;
    do {
      await sleep(50);
      operation = (await service.call('GET', `/operations/${id}`)) as unknown as Operation;
    } while (operation.status === 'queued' || operation.status === 'running');
    assert.equal(operation.status, 'completed', JSON.stringify(operation.error));
    const days = (await adopted()).map(({ createdAt }) => Number(createdAt.slice(8, 10)));
    assert.deepEqual(
      days,
      Array.from({ length: COUNT }, (_, index) => COUNT - index),
    );
    const [newest] = await adopted();
    assert.equal(newest?.external?.content, 'postgresql-sql');
    assert.ok((await service.content(newest?.id ?? '')).equals(plainDump(`2026-10-${COUNT}`, 5000)));
    await service.end('SIGTERM');
  });

  it('are adopted by the command line: the newest, then all', async (t) => {
    const line = await commandLine(t);
    const backups = path.join(line.folder, 'backups');
    writeBackups(backups);
    const service = await Service.start(line.data);
    const resource = { service: 'external', configuration: configurationOf(backups) };
    await service.call('PUT', '/resources/shop', JSON.stringify(resource));
    await service.call('PUT', '/resources/notes', JSON.stringify({ service: 'stream' }));
    await service.end('SIGTERM');
    const newest = await line.run(['adopt', 'shop']);
    assert.equal(newest.code, 0, newest.stderr);
    assert.match(newest.stdout, /^Adopted 1 backup of shop\.$/m);
    const all = await line.run(['adopt', 'shop', '--all']);
    assert.match(all.stdout, new RegExp(`^Adopted ${COUNT - 1} backups of shop; 1 had been adopted before\\.$`, 'm'));
    const { message } = await line.problem(['adopt', 'notes'], 1);
    assert.match(message, /Holdfast makes its backups itself/);
  });
});
