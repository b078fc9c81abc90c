import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { initial } from '../migrations/0001-initial.ts';
import type { CatalogueSchema } from '../schema.ts';
import { createExclusively } from './exclusively.ts';
import { NodeSqliteDatabase } from './node-sqlite-database.ts';
import { openSqliteCatalogue } from './sqlite-catalogue.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-opening-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('a damaged file is told from a newer one', async () => {
  const damaged = path.join(folder, 'damaged.sqlite');
  await writeFile(damaged, 'This is no database at all, but long enough to look at. '.repeat(100));
  await assert.rejects(openSqliteCatalogue({ file: damaged }), { code: 'catalogue-damaged' });
  const newer = path.join(folder, 'newer.sqlite');
  await (await openSqliteCatalogue({ file: newer })).close();
  const direct = new DatabaseSync(newer);
  direct.exec(`INSERT INTO kysely_migration (name, timestamp) VALUES ('9999-later', '2030-01-01')`);
  direct.close();
  await assert.rejects(openSqliteCatalogue({ file: newer }), { code: 'catalogue-newer', kind: 'unsupported' });
});

test('damage that shows only later says the same', async () => {
  const file = path.join(folder, 'later.sqlite');
  const whole = await openSqliteCatalogue({ file });
  for (let index = 0; index < 500; index++) {
    const createdAt = '2026-01-01T00:00:00.000Z';
    await whole.policies.put({ id: `p${index}`, name: 'x'.repeat(2000), createdAt } as never);
  }
  await whole.close();
  const pages = Math.floor((await stat(file)).size / 4096);
  const handle = await open(file, 'r+');
  for (let page = pages - 200; page < pages; page++) await handle.write(Buffer.alloc(4096, 0xaa), 0, 4096, page * 4096);
  await handle.close();
  const damaged = await openSqliteCatalogue({ file });
  await assert.rejects(damaged.policies.list(), { code: 'catalogue-damaged', kind: 'damaged' });
  await damaged.close();
});

test('a place that cannot hold a catalogue is refused, and a catalogue is for its owner only', async () => {
  const file = path.join(folder, 'plain.txt');
  await writeFile(file, '');
  await assert.rejects(openSqliteCatalogue({ file: path.join(file, 'catalogue.sqlite') }), {
    code: 'catalogue-denied',
  });
  await assert.rejects(openSqliteCatalogue({ file: folder }), { code: 'catalogue-denied' });
  const made = path.join(folder, 'private.sqlite');
  const catalogue = await openSqliteCatalogue({ file: made });
  for (const suffix of ['', '-wal', '-shm']) assert.equal((await stat(`${made}${suffix}`)).mode & 0o777, 0o600);
  await catalogue.close();
});

test('a full disk is named, and nothing of what was being written stays', async () => {
  const file = path.join(folder, 'full.sqlite');
  await (await openSqliteCatalogue({ file })).close();
  const sqlite = new NodeSqliteDatabase(file);
  const database = new Kysely<CatalogueSchema>({ dialect: new SqliteDialect({ database: sqlite }) });
  sqlite.prepare('PRAGMA max_page_count = 1').all([]);
  const row = { collection: 'x', created_at: '', record: 'y'.repeat(100_000) };
  await assert.rejects(
    createExclusively(
      database,
      sqlite,
    )(async (transaction) => {
      await transaction
        .insertInto('documents')
        .values({ ...row, id: 'small', record: '' })
        .execute();
      await transaction
        .insertInto('documents')
        .values({ ...row, id: 'large' })
        .execute();
    }),
    { code: 'catalogue-full', kind: 'unavailable' },
  );
  assert.equal(sqlite.isTransaction, false);
  assert.deepEqual(await database.selectFrom('documents').selectAll().execute(), []);
  await database.destroy();
});

test('of processes that open a new catalogue at once, each gets it', { timeout: 20_000 }, async (context) => {
  const file = path.join(folder, 'together.sqlite');
  const module = new URL('./sqlite-catalogue.ts', import.meta.url).href;
  const script = `
    const { openSqliteCatalogue } = await import(${JSON.stringify(module)});
    process.stdout.write('ready');
    process.stdin.once('data', async () => {
      const catalogue = await openSqliteCatalogue({ file: ${JSON.stringify(file)} });
      await catalogue.close();
      process.exit(0);
    });`;
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  context.after(() => children.map((child) => child.kill('SIGKILL')));
  await Promise.all(children.map((child) => once(child.stdout, 'data')));
  const exits = children.map((child) => once(child, 'exit'));
  for (const child of children) child.stdin.write('now');
  assert.deepEqual(
    (await Promise.all(exits)).map(([code]) => code),
    [0, 0, 0, 0],
  );
});

test('a migration that fails half-way leaves nothing', async () => {
  const file = path.join(folder, 'half.sqlite');
  const direct = new DatabaseSync(file);
  direct.exec('CREATE TABLE idempotency_keys (x)');
  await assert.rejects(openSqliteCatalogue({ file }), /idempotency_keys/);
  direct.exec('DROP TABLE idempotency_keys');
  assert.deepEqual(direct.prepare('SELECT name FROM sqlite_schema').all(), []);
  direct.close();
  await (await openSqliteCatalogue({ file })).close();
});

test('a catalogue of the first version is brought up to date and keeps its tags', async () => {
  const file = path.join(folder, 'first.sqlite');
  const database = new Kysely<CatalogueSchema>({
    dialect: new SqliteDialect({ database: new NodeSqliteDatabase(file) }),
  });
  await initial.up(database);
  await sql`CREATE TABLE kysely_migration (name TEXT PRIMARY KEY NOT NULL, timestamp TEXT NOT NULL)`.execute(database);
  await sql`INSERT INTO kysely_migration VALUES ('0001-initial', '2026-01-01T00:00:00.000Z')`.execute(database);
  await sql`
    INSERT INTO backups VALUES
    ('b', 'r', 't', 's', 'full', 'completed', 'default', NULL, 0, 1, 1, '2026-01-01', NULL, '{"id":"b"}')
  `.execute(database);
  await sql`INSERT INTO backup_tags VALUES ('b', 'env', 'test')`.execute(database);
  await database.destroy();
  const catalogue = await openSqliteCatalogue({ file });
  const { items } = await catalogue.backups.page({ tag: 'env=test', from: '2026-01-01' }, { limit: 5 });
  assert.deepEqual(items, [{ id: 'b' }]);
  await catalogue.close();
});
