import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { DownloadChoice, DownloadFormat } from '../src/core/ports/service-download.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { createSqliteService } from '../src/services/sqlite/sqlite-service.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';
import { downloaded, openDownload } from './downloaded-content.ts';
import { type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';

const MEBIBYTE = 1024 * 1024;

describe('a download', { timeout: 600_000 }, () => {
  const stream = createStreamService();
  const sqlite = createSqliteService();
  const document = createDocumentService({ documentLimitBytes: 1 << 26, documentDepthLimit: 200, maxChainLength: 50 });
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;

  before(async () => {
    place = await temporaryFolder();
    managed = await openManagedApplication(place.folder, { services: [stream, sqlite, document] });
  });
  after(async () => {
    await managed.application.close();
    await place.remove();
  });

  const post = (
    service: 'stream' | 'document',
    bytes: Uint8Array,
    type: Backup['type'] = 'full',
    resourceId = `posted-${randomBytes(6).toString('hex')}`,
  ): Promise<Backup> =>
    managed.application.backups.createPosted({
      resourceId,
      resourceType: service,
      type,
      service,
      encrypt: true,
      createdBy: 'test',
      input: (async function* () {
        yield bytes;
      })(),
    });
  const refused = (service: Service, backup: Backup, choice: DownloadChoice, message: RegExp) =>
    assert.rejects(openDownload(service, managed.repository, backup, choice), (error: Error & { code?: string }) => {
      assert.match(error.message, message);
      return error.code === 'download-choice-invalid';
    });

  async function assertRanges(service: Service, backups: Backup[], format: DownloadFormat, whole: Buffer) {
    const { material, bytes } = await downloaded(service, managed.repository, backups, { format });
    assert.ok(bytes.equals(whole));
    assert.deepEqual(
      [material.length, material.sha256, material.acceptsRanges, material.isReproducible],
      [whole.length, createHash('sha256').update(whole).digest('hex'), true, true],
    );
    for (const offset of new Set([0, 1, whole.length >> 1, whole.length - 1]))
      for (const length of new Set([0, 1, 100_000, whole.length - offset])) {
        if (offset < 0 || length < 0 || offset + length > whole.length) continue;
        const part = await downloaded(service, managed.repository, backups, { format }, { offset, length });
        assert.ok(part.bytes.equals(whole.subarray(offset, offset + length)), `${offset}+${length}`);
      }
    for (const range of [
      { offset: 0, length: whole.length + 1 },
      { offset: -1, length: 1 },
      { offset: 0.5, length: 1 },
    ])
      await assert.rejects(downloaded(service, managed.repository, backups, { format }, range), {
        code: 'range-invalid',
      });
  }

  test('of a stream is its bytes, whole or from any byte on', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), randomBytes(70_000), randomBytes(9 * MEBIBYTE + 5)])
      await assertRanges(stream, [await post('stream', bytes)], 'bytes', bytes);
  });

  test('of a stream that is a dump is SQL of whoever wrote it, and of another one an error that says why not', async () => {
    const told = async (text: string | Buffer) => {
      const backup = await post('stream', Buffer.from(text as string));
      const { bytes, material } = await downloaded(stream, managed.repository, backup, { format: 'sql' });
      assert.ok(bytes.equals(Buffer.from(text as string)));
      return [material.format, material.dialect];
    };
    assert.deepEqual(await told('--\n-- PostgreSQL database dump\n--\n\nSELECT 1;\n'), ['sql', 'postgresql']);
    assert.deepEqual(await told('-- MySQL dump 10.13  Distrib 8.0.40, for Linux (x86_64)\n--\n'), ['sql', 'mysql']);
    assert.deepEqual(await told('-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB\n'), ['sql', 'mysql']);
    assert.deepEqual(await told('/*!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n'), ['sql', 'mysql']);
    assert.deepEqual(await told('/*M!999999\\- enable the sandbox mode */ \n'), ['sql', 'mysql']);
    for (const [bytes, reason] of [
      ['', /does not begin/],
      ['SELECT 1; -- PostgreSQL database dump', /does not begin/],
      ['--\n-- PostgreSQL database cluster dump\n--\n', /pg_dumpall/],
      ['PGDMP\x01\x0e\x00', /pg_restore/],
      [Buffer.from([0x1f, 0x8b, 8, 0]), /gzip -d/],
      [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]), /zstd -d/],
    ] as const)
      await refused(stream, await post('stream', Buffer.from(bytes as string)), { format: 'sql' }, reason);
  });

  test('of what is whole refuses parts and other formats', async () => {
    const backup = await post('stream', Buffer.from('bytes'));
    await refused(stream, backup, { format: 'bytes', tables: ['a'] }, /`tables`/);
    await refused(stream, backup, { format: 'bytes', paths: ['a'] }, /`path`/);
    await refused(stream, backup, { format: 'bytes', database: 'a' }, /`database`/);
    await refused(stream, backup, { format: 'tar' }, /`bytes` or `sql`/);
  });

  test('of a document is its canonical text, put together from deltas', async () => {
    const filler = 'x'.repeat(5000);
    const first = await post('document', Buffer.from(JSON.stringify({ b: 2, filler, a: [1] })), 'full', 'chained');
    await assertRanges(document, [first], 'json', Buffer.from(`{"a":[1],"b":2,"filler":"${filler}"}`));
    const second = await post(
      'document',
      Buffer.from(JSON.stringify({ a: [1, 'ü'], filler })),
      'incremental',
      'chained',
    );
    assert.equal(second.type, 'incremental');
    const text = Buffer.from(`{"a":[1,"ü"],"filler":"${filler}"}`);
    await assertRanges(document, [first, second], 'json', text);
    const request = { principal: { name: 'test', role: 'admin' as const }, resourceId: 'chained', limit: 10 };
    const { items } = await managed.application.downloads.list(request, new AbortController().signal);
    assert.deepEqual(
      items.map(({ size }) => size),
      [text.length, first.size],
    );
  });

  test('of a SQLite database is a file that SQLite opens', async () => {
    const { resources, backups, operations } = managed.application;
    const file = path.join(place.folder, 'shop.sqlite');
    const database = new DatabaseSync(file);
    database.exec('BEGIN; CREATE TABLE t (a, b)');
    for (let row = 0; row < 2000; row++) database.prepare('INSERT INTO t VALUES (?, ?)').run(row, randomBytes(500));
    database.exec('COMMIT');
    database.close();
    await resources.put({ id: 'shop', service: 'sqlite', configuration: { path: file } });
    const { backupId } = await operations.wait(
      (await backups.start({ resourceId: 'shop', createdBy: 'test' })).id,
      300_000,
    );
    const backup = await backups.get(backupId ?? '');
    const { bytes, material } = await downloaded(sqlite, managed.repository, backup, { format: 'sqlite' });
    assert.deepEqual([material.mediaType, material.fileExtension], ['application/vnd.sqlite3', '.sqlite']);
    await assertRanges(sqlite, [backup], 'sqlite', bytes);
    const copy = path.join(place.folder, 'copy.sqlite');
    writeFileSync(copy, bytes);
    const opened = new DatabaseSync(copy, { readOnly: true });
    assert.deepEqual(
      { ...opened.prepare('SELECT count(*) AS n, sum(a) AS sum FROM t').get() },
      { n: 2000, sum: 1999000 },
    );
    opened.close();
  });

  test('whose bytes are damaged in the middle ends with an error, and one of other bytes is not', async () => {
    const bytes = randomBytes(12 * MEBIBYTE);
    const known = new Set(packs());
    const backup = await post('stream', bytes);
    const [pack] = packs().filter((name) => !known.has(name) && readFileSync(name).length > MEBIBYTE);
    const stored = readFileSync(pack!);
    stored[stored.length >> 1] = (stored[stored.length >> 1] ?? 0) ^ 1;
    chmodSync(pack!, 0o600);
    writeFileSync(pack!, stored);
    const opened = await openDownload(stream, managed.repository, backup, { format: 'bytes' });
    let given = 0;
    await assert.rejects(
      async () => {
        for await (const piece of opened.material.bytes()) {
          assert.ok(bytes.subarray(given, given + piece.length).equals(piece));
          given += piece.length;
        }
      },
      { kind: 'damaged' },
    );
    await opened.close();
    assert.ok(given < bytes.length);
  });

  test('never gives its last bytes where what was recorded of it is not true', async () => {
    const bytes = randomBytes(3 * MEBIBYTE);
    const backup = await post('stream', bytes);
    for (const wrong of [
      { ...backup, checksum: `sha256:${'0'.repeat(64)}` },
      { ...backup, size: backup.size + 1 },
    ]) {
      const opened = await openDownload(stream, managed.repository, wrong, { format: 'bytes' });
      let given = 0;
      await assert.rejects(
        async () => {
          for await (const piece of opened.material.bytes()) given += piece.length;
        },
        { code: 'checksum-differs' },
      );
      await opened.close();
      assert.ok(given < bytes.length);
    }
  });

  test('that is aborted or left by many who read at once leaves nothing that goes on', async () => {
    const bytes = randomBytes(5 * MEBIBYTE);
    const backup = await post('stream', bytes);
    await Promise.all(
      Array.from({ length: 40 }, async (_, number) => {
        const ending = new AbortController();
        const opened = await openDownload(stream, managed.repository, backup, { format: 'bytes' }, ending.signal);
        let given = 0;
        const take = async () => {
          for await (const piece of opened.material.bytes()) {
            assert.ok(bytes.subarray(given, given + piece.length).equals(piece));
            given += piece.length;
            if (number % 4 === 1) break;
            if (number % 4 === 2) ending.abort();
          }
        };
        if (number % 4 === 2) await assert.rejects(take, { kind: 'cancelled' });
        else await take();
        await opened.close();
        if (number % 4 === 0 || number % 4 === 3) assert.equal(given, bytes.length);
      }),
    );
  });

  function packs(): string[] {
    const folder = path.join(place.folder, 'repository', 'packs');
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
  }
});
