import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { DownloadFormat } from '../src/core/ports/service-download.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { createSqliteService } from '../src/services/sqlite/sqlite-service.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';
import { downloaded, openDownload } from './downloaded-content.ts';
import { gather, type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';

const MEBIBYTE = 1024 * 1024;

describe('downloads of streams, databases of SQLite and documents', { timeout: 600_000 }, () => {
  const stream = createStreamService();
  const sqlite = createSqliteService();
  const document = createDocumentService({ documentLimitBytes: 1 << 26, documentDepthLimit: 200, maxChainLength: 50 });
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;
  let number = 0;

  before(async () => {
    place = await temporaryFolder();
    managed = await openManagedApplication(place.folder, { services: [stream, sqlite, document] });
  });
  after(async () => {
    await managed.application.close();
    await place.remove();
  });

  async function post(service: string, input: Uint8Array, type: Backup['type'] = 'full', id = `r-${++number}`) {
    const { resources, backups } = managed.application;
    await resources.put({ id, service, configuration: {} });
    return backups.store({ resourceId: id, type, createdBy: 'test', input: [input] } as never);
  }

  async function assertRanges(service: Service, backup: Backup[], format: DownloadFormat, whole: Buffer) {
    const { material, bytes } = await downloaded(service, managed.repository, backup, { format });
    assert.ok(bytes.equals(whole));
    assert.deepEqual(
      [material.length, material.sha256, material.acceptsRanges, material.isReproducible],
      [whole.length, createHash('sha256').update(whole).digest('hex'), true, true],
    );
    const places = [0, 1, whole.length >> 1, whole.length - 1].map((offset) => Math.max(0, offset));
    for (const offset of places)
      for (const length of [0, 1, 100_000, whole.length - offset]) {
        if (offset + length > whole.length) continue;
        const part = await downloaded(service, managed.repository, backup, { format }, { offset, length });
        assert.ok(part.bytes.equals(whole.subarray(offset, offset + length)), `${offset}+${length}`);
      }
    for (const range of [
      { offset: 0, length: whole.length + 1 },
      { offset: -1, length: 1 },
      { offset: 0.5, length: 1 },
    ])
      await assert.rejects(downloaded(service, managed.repository, backup, { format }, range), {
        code: 'range-invalid',
      });
  }

  test('streams of any size come whole, and from any byte on', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('x'), randomBytes(70_000), randomBytes(9 * MEBIBYTE + 5)])
      await assertRanges(stream, [await post('stream', bytes)], 'bytes', bytes);
  });
});
