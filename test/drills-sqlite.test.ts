import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, afterEach, before, describe, test } from 'node:test';
import type { BackupContext, Service, ServiceBackup } from '../src/core/ports/service.ts';
import { createSqliteService } from '../src/services/sqlite/sqlite-service.ts';
import { check, DrillRig, outcomes } from './drill-rig.ts';

describe('restore drills of SQLite databases', () => {
  let rig: DrillRig;
  let file: string;
  /** Changes what a backup says of itself. */
  let falsify: ((made: ServiceBackup) => ServiceBackup) | undefined;
  before(async () => {
    rig = await DrillRig.create([falsified(createSqliteService(), (made) => falsify?.(made) ?? made)]);
    file = path.join(rig.folder, 'shop.db');
    const database = new DatabaseSync(file);
    database.exec(`
      PRAGMA user_version = 7;
      CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL NOT NULL, big INTEGER);
      CREATE TABLE users (name TEXT UNIQUE);
      CREATE INDEX orders_by_total ON orders (total);
      WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 5000)
        INSERT INTO orders SELECT value, value * 1.5, 9007199254740993 FROM n;
      INSERT INTO users VALUES ('Ada'), ('Grace');
    `);
    database.close();
    await rig.managed.application.resources.put({ id: 'shop', service: 'sqlite', configuration: { path: file } });
    await rig.backUp('shop');
  });
  after(() => rig.remove());
  afterEach(async () => {
    falsify = undefined;
    assert.deepEqual(await rig.leftovers(), []);
  });

  test('check the file, its integrity, its rows and what the user asserts', async () => {
    const { drill } = await rig.drill('shop', {
      assertions: [
        { sql: 'SELECT count(*) FROM orders WHERE total > 10', atLeast: 1000 },
        { sql: "SELECT name FROM users WHERE name LIKE 'A%'", equals: 'Ada' },
        { sql: 'SELECT big FROM orders LIMIT 1', equals: '9007199254740993' },
        { sql: 'PRAGMA user_version', equals: 7 },
        { sql: 'SELECT max(total) FROM orders', atLeast: 7500, atMost: 7500 },
      ],
    });
    assert.equal(drill.error?.message, undefined);
    assert.deepEqual(outcomes(drill).slice(0, 3), ['checksum passed', 'integrity-check passed', 'row-counts passed']);
    assert.equal(check(drill, 'row-counts')?.found, '2 tables, 5002 rows');
    assert.ok(drill.environment.sqlite);
  });

  test('fail because of assertions that do not hold or give no value, each by itself', async () => {
    const written = path.join(rig.folder, 'written.db');
    const { drill } = await rig.drill('shop', {
      assertions: [
        { sql: 'SELECT count(*) FROM users', equals: 3 },
        { sql: 'SELECT * FROM nowhere', equals: 1 },
        { sql: 'SELECT id, total FROM orders', equals: 1 },
        { sql: 'SELECT id FROM orders', equals: 1 },
        { sql: 'SELECT id FROM orders WHERE id < 0', equals: 1 },
        { sql: 'DELETE FROM users RETURNING 1', equals: 1 },
        { sql: `VACUUM INTO '${written}'`, equals: 1 },
        { sql: `ATTACH '${file}' AS source`, equals: 1 },
        {
          sql: 'WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless) SELECT count(*) FROM endless',
          atLeast: 1,
          timeoutSeconds: 1,
        },
        { sql: 'SELECT count(*) FROM users', equals: 2 },
      ],
    });
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'assertion']);
    const found = drill.checks.filter(({ kind }) => kind === 'assertion');
    assert.deepEqual(
      found.map(({ outcome }) => outcome),
      [...Array(9).fill('failed'), 'passed'],
    );
    assert.match(found[8]?.found ?? '', /no answer within 1 seconds/);
    assert.ok(!(await readdir(rig.folder)).includes('written.db'));
  });

  test('fail because of a table with other rows than were counted, and name it', async () => {
    falsify = (made) => {
      const tables = made.serviceData.tables as { name: string; rows: number }[];
      const changed = tables.map((table) => (table.name === 'users' ? { ...table, rows: 3 } : table));
      return { ...made, serviceData: { ...made.serviceData, tables: changed } };
    };
    await rig.backUp('shop');
    const { drill } = await rig.drill('shop');
    assert.deepEqual([drill.outcome, drill.fault, drill.error?.code], ['failed', 'backup', 'drill-row-counts-failed']);
    assert.match(drill.error?.message ?? '', /users: 3 rows backed up, 2 rows restored/);
  });

  test('fail because of a damaged page that was backed up as it was, and say where', async () => {
    const damaged = path.join(rig.folder, 'damaged.db');
    const database = new DatabaseSync(damaged);
    database.exec(`
      CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT);
      CREATE INDEX items_by_text ON items (text);
      WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 2000)
        INSERT INTO items SELECT value, hex(randomblob(40)) FROM n;
    `);
    database.close();
    // Somewhere in the cells of a page in the middle.
    const bytes = await readFile(damaged);
    await writeFile(damaged, bytes.fill(0xff, 4096 * 20 + 8, 4096 * 20 + 64));
    const configuration = { path: damaged, checks: 'none' };
    await rig.managed.application.resources.put({ id: 'damaged', service: 'sqlite', configuration });
    await rig.backUp('damaged');
    const { drill } = await rig.drill('damaged');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.equal(check(drill, 'integrity-check')?.outcome, 'failed');
    assert.match(check(drill, 'integrity-check')?.found ?? '', /page \d+/i);
  });

  test('fail because of a damaged pack', async () => {
    await rig.damagePacks();
    const { drill } = await rig.drill('shop');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.equal(check(drill, 'checksum')?.outcome, 'failed');
  });
});

function falsified(service: Service, change: (made: ServiceBackup) => ServiceBackup): Service {
  return { ...service, backup: async (context: BackupContext) => change(await service.backup(context)) };
}
