import assert from 'node:assert/strict';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { ResourceTest } from '../src/core/resource-test.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import { createSqliteService } from '../src/services/sqlite/sqlite-service.ts';
import { type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';

describe('the test of a resource', () => {
  let place: Awaited<ReturnType<typeof temporaryFolder>>;
  let managed: ManagedApplication;
  let folder: string;

  before(async () => {
    place = await temporaryFolder();
    folder = path.join(place.folder, 'source');
    await mkdir(folder);
    managed = await openManagedApplication(place.folder, {
      services: [
        createDocumentService({ documentLimitBytes: 1 << 20, documentDepthLimit: 100, maxChainLength: 50 }),
        createFilesService(),
        createSqliteService(),
      ],
    });
  });
  after(async () => {
    await managed.application.close();
    await place.remove();
  });

  const files = (configuration: Record<string, unknown>) =>
    managed.application.resources.test({ service: 'files', configuration });
  const sqlite = (configuration: Record<string, unknown>) =>
    managed.application.resources.test({ service: 'sqlite', configuration });

  function find({ checks }: ResourceTest, name: string, outcome: string, message: RegExp): void {
    const found = checks.filter((check) => check.name === name);
    assert.ok(
      found.some((check) => check.outcome === outcome && message.test(`${check.message} ${check.advice ?? ''}`)),
      JSON.stringify(checks, null, 1),
    );
  }

  test('of posted data needs the repository only', async () => {
    await managed.application.resources.put({ id: 'state', service: 'document' });
    const result = await managed.application.resources.test({ id: 'state' });
    assert.equal(result.ok, true);
    find(result, 'repository', 'ok', /repository can be/);
    await assert.rejects(managed.application.resources.test({ id: 'nobody' }), { code: 'resource-not-found' });
    await assert.rejects(managed.application.resources.test({ service: 'nothing' }), { code: 'service-unknown' });
    await assert.rejects(files({ paths: ['relative'] }), { code: 'configuration-invalid' });
  });

  test('of files names paths that are not there, and excludes that leave nothing', async () => {
    const [full, empty] = [path.join(folder, 'full'), path.join(folder, 'empty')];
    await mkdir(full);
    await mkdir(empty);
    await writeFile(path.join(full, 'a.txt'), 'a');
    await symlink('/nonexistent', path.join(full, 'link'));
    const well = await files({ paths: [full] });
    assert.equal(well.ok, true);
    find(well, 'path', 'ok', /full can be read/);
    find(well, 'attributes', 'ok', /can be read/);
    const missing = await files({ paths: [full, path.join(folder, 'absent')] });
    assert.equal(missing.ok, false);
    find(missing, 'path', 'failed', /There is no .*absent.*correct the resource's `paths`/);
    find(missing, 'path', 'ok', /full/);
    find(await files({ paths: [empty] }), 'path', 'warning', /Nothing below/);
    find(await files({ paths: [full], exclude: ['*'] }), 'path', 'warning', /all of it is excluded/);
    find(await files({ paths: [full], excludeFiles: ['/nonexistent'] }), 'exclude files', 'failed', /cannot be read/);
  });

  test('of files names what may not be read', {
    skip:
      process.geteuid?.() === 0 ? 'ROOT MAY READ EVERYTHING, SO THIS WAS NOT TESTED. Run it as another user.' : false,
  }, async () => {
    const secret = path.join(folder, 'secret');
    await mkdir(secret);
    await writeFile(path.join(secret, 'closed'), 'x', { mode: 0o000 });
    find(await files({ paths: [secret] }), 'path', 'warning', /closed/);
  });

  test('of a database says what it is, and leaves nothing beside it', async () => {
    const file = path.join(folder, 'shop.db');
    const database = new DatabaseSync(file);
    database.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1)');
    const result = await sqlite({ path: file });
    assert.equal(result.ok, true, JSON.stringify(result));
    find(result, 'database', 'ok', /database of 8\.0 KiB/);
    find(result, 'journal mode', 'ok', /Rollback/);
    find(result, 'temporary space', 'ok', /needs 8\.0 KiB/);
    database.exec('PRAGMA journal_mode = WAL');
    find(await sqlite({ path: file }), 'journal mode', 'ok', /WAL/);
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO t VALUES (2)');
    const locked = await sqlite({ path: file, busyTimeoutMilliseconds: 50 });
    assert.equal(locked.ok, false);
    find(locked, 'database', 'failed', /locked/);
    database.close();
    find(await sqlite({ path: file }), 'journal mode', 'ok', /WAL/);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('shop.db')),
      ['shop.db'],
    );
    await rm(file);
  });

  test('of a database names what is no database, what is not there, and a temporary folder that is not', async () => {
    const text = path.join(folder, 'text.db');
    await writeFile(text, 'this is no database, though it has bytes');
    find(await sqlite({ path: text }), 'database', 'failed', /not a SQLite database/);
    find(await sqlite({ path: folder }), 'database', 'failed', /no regular file/);
    find(await sqlite({ path: path.join(folder, 'absent.db') }), 'database', 'failed', /There is no file/);
    const none = await sqlite({ path: text, temporaryFolder: '/nonexistent' });
    find(none, 'temporary space', 'failed', /No copy can be made in \/nonexistent.*temporaryFolder/);
  });
});
