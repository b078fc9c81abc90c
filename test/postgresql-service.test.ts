import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { Service, spawnHoldfast } from './service-process.ts';

async function run(words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawnHoldfast(words);
  const said = { stdout: '', stderr: '' };
  child.stdout!.on('data', (bytes) => {
    said.stdout += bytes;
  });
  child.stderr!.on('data', (bytes) => {
    said.stderr += bytes;
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, ...said };
}

test('the service and the command line back PostgreSQL up, give its SQL and restore it', {
  skip: SKIP_REASON,
  timeout: 600_000,
}, async () => {
  const data = await mkdtemp(path.join(tmpdir(), 'holdfast-data-'));
  const server = await PostgresqlServer.start();
  try {
    await server.sql('postgres', 'CREATE DATABASE shop');
    await server.sql(
      'shop',
      `CREATE TABLE orders AS SELECT g AS id, 'order ' || g AS text FROM generate_series(1, 100) g`,
    );
    const holdfast = await Service.start(data);
    const configuration = { connection: server.connection(), databases: ['shop'] };
    await holdfast.call('PUT', '/resources/shop-pg', JSON.stringify({ service: 'postgresql', configuration }));
    let operation = await holdfast.call('POST', '/backups', JSON.stringify({ resourceId: 'shop-pg' }));
    while (operation.status === 'queued' || operation.status === 'running')
      operation = await holdfast.call('GET', `/operations/${operation.id}`);
    assert.equal(operation.status, 'completed');
    const text = (await holdfast.content(String(operation.backupId))).toString();
    assert.match(text, /COPY public\.orders[\s\S]*\n100\torder 100\n/);
    await holdfast.end('SIGTERM');
    const words = ['restore', 'latest', '--resource', 'shop-pg', '--data', data];
    const options = JSON.stringify({ targetDatabase: 'copy' });
    const restored = await run([...words, '--options', options]);
    assert.equal(restored.code, 0, restored.stderr);
    assert.match(restored.stdout, /^Restored \S+ of shop-pg, .*\n {2}copy: \d+ tables?, [1-9]\d* rows\n/);
    assert.equal(await server.dump('copy'), await server.dump('shop'));
    const streamed = await run([...words, '--output', '-']);
    assert.match(streamed.stdout, /\n100\torder 100\n/);
    const refused = await run([...words, '--options', '{"targetDatabase": "shop"}']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /onExisting/);
    assert.equal((await run([...words, '--options', '[1]'])).code, 2);
  } finally {
    await server.remove();
    await rm(data, { recursive: true, force: true });
  }
});
