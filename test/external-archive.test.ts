import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Application } from '../src/core/application.ts';
import { openChain } from '../src/core/snapshot-chain.ts';
import { externalResource, externalService, finishedFile } from './external-rig.ts';
import { gather, type ManagedApplication, openManagedApplication } from './managed-application.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';

const { signal } = new AbortController();
const warn = () => undefined;

describe('archives of pg_dump that another tool keeps', { skip: SKIP_REASON }, () => {
  let place: string;
  let server: PostgresqlServer;
  let archive: Buffer;
  let sql: string;
  const service = externalService();

  before(async () => {
    place = mkdtempSync(path.join(tmpdir(), 'external-archive-'));
    server = await PostgresqlServer.start();
    await server.sql('postgres', 'CREATE DATABASE shop');
    await server.sql(
      'shop',
      'CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT n, md5(n::text) FROM generate_series(1, 20000) n;',
    );
    archive = Buffer.from(await server.dump('shop', '--format=custom'), 'latin1');
    finishedFile(path.join(place, 'shop-2026-11-20.dump.gz'), gzipSync(archive));
    const restored = execFileSync(
      path.join(server.programs, 'pg_restore'),
      ['--no-owner', '--no-tablespaces', '--file=-'],
      {
        input: archive,
      },
    );
    sql = withoutKeys(restored.toString());
  });

  after(async () => {
    await server.remove();
    rmSync(place, { recursive: true, force: true });
  });

  const shop = (folder = place) =>
    externalResource({
      source: { kind: 'listing', patterns: ['shop-{yyyy}-{MM}-{dd}.dump.gz'] },
      objects: { kind: 'folder', folder },
    });

  it('are given as plain SQL and as they are', async () => {
    const { externalSnapshots } = service;
    assert.ok(externalSnapshots);
    const [newest] = await externalSnapshots.list(shop(), { limit: 1, signal });
    assert.ok(newest);
    assert.deepEqual(externalSnapshots.formats(shop()), { formats: ['sql', 'custom', 'bytes'], dialect: 'postgresql' });
    const plain = await externalSnapshots.open(shop(), newest, { signal, warn });
    assert.deepEqual([plain.format, plain.dialect], ['sql', 'postgresql']);
    assert.ok(withoutKeys((await gather(plain.bytes())).toString()) === sql);
    const custom = await externalSnapshots.open(shop(), newest, { choice: { format: 'custom' }, signal, warn });
    assert.ok((await gather(custom.bytes())).equals(archive));
    await assert.rejects(externalSnapshots.open(shop(), newest, { choice: { format: 'tar' }, signal, warn }), {
      code: 'download-choice-invalid',
    });
    const tables = { format: 'sql' as const, tables: ['items'] };
    await assert.rejects(externalSnapshots.open(shop(), newest, { choice: tables, signal, warn }), {
      code: 'download-choice-invalid',
    });
  });

  it('that were cut never become SQL that ends well', async () => {
    const folder = path.join(place, 'cut');
    for (const left of [20, archive.length >> 1, archive.length - 100]) {
      finishedFile(path.join(folder, 'shop-2026-11-20.dump.gz'), gzipSync(archive.subarray(0, left)));
      const { externalSnapshots } = externalService();
      const [newest] = (await externalSnapshots?.list(shop(folder), { limit: 1, signal })) ?? [];
      assert.ok(newest && externalSnapshots);
      const material = await externalSnapshots.open(shop(folder), newest, { signal, warn });
      await assert.rejects(gather(material.bytes()), { code: 'external-backup-damaged' }, `${left} bytes`);
    }
  });

  it('are given in the same ways after they were adopted', async () => {
    const managed: ManagedApplication = await openManagedApplication(path.join(place, 'data'), { services: [service] });
    const application: Application = managed.application;
    try {
      await application.resources.put({ id: 'shop', service: 'external', configuration: shop().configuration });
      const started = await application.backups.start({ resourceId: 'shop', createdBy: 'test' });
      const { backupId = '' } = await application.operations.wait(started.id, 60_000);
      const backup = await application.backups.get(backupId);
      assert.deepEqual(service.downloadsOf?.(backup), { formats: ['sql', 'custom', 'bytes'], dialect: 'postgresql' });
      for (const [format, expected] of [
        ['sql', sql],
        ['custom', archive.toString('latin1')],
      ] as const) {
        const chain = await openChain(managed.catalogue, managed.repository, backup);
        const choice = { format };
        const material = await service.download?.({ backup, chain: chain.links, choice, signal, warn });
        const given = (await gather(material?.bytes() ?? assert.fail())).toString('latin1');
        assert.ok((format === 'sql' ? withoutKeys(given) : given) === expected, format);
        assert.equal(material?.length, format === 'sql' ? undefined : archive.length);
        assert.equal(material?.acceptsRanges, format === 'custom');
        await chain.close();
      }
    } finally {
      await application.close();
    }
  });
});

function withoutKeys(text: string): string {
  return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
}
