import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { PolicyVariants } from './policy-variants-rig.ts';

describe('variants of a SQLite database by a policy', { timeout: 300_000 }, () => {
  let variants: PolicyVariants;
  let folder: string;
  beforeEach(async () => {
    variants = await PolicyVariants.create();
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-sqlite-variants-'));
  });
  afterEach(async () => {
    await variants.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const database = async (): Promise<Buffer> => {
    const file = path.join(folder, 'shop.sqlite');
    const made = new DatabaseSync(file);
    made.exec(`
      CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, manager_id INTEGER REFERENCES users, login TEXT);
      CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, note TEXT);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO users SELECT i, 'person' || i || '@corp.example', CASE WHEN i > 10 THEN 1 + i % 10 END, 'person' || i || '@corp.example' FROM n;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
        INSERT INTO orders SELECT i, 1 + i % 1000, 'Order ' || i FROM n;`);
    made.close();
    return readFile(file);
  };
  const opened = async (bytes: Buffer): Promise<DatabaseSync> => {
    const file = path.join(folder, 'variant.sqlite');
    await writeFile(file, bytes);
    return new DatabaseSync(file, { readOnly: true });
  };
  const policy = (login: string) =>
    variants.policy(`
variants:
  masked: { keep: full }
  reduced:
    extends: masked
    subset:
      seed: dev
      roots: [{ table: users, sample: 2% }]
      follow: [{ from: users, to: orders, via: user_id, limit_per_parent: 3 }]
tables:
  users: { columns: { id: keep, email: email, manager_id: keep, login: ${login} } }
  orders: { columns: { id: keep, user_id: keep, note: keep } }
`);

  it('have some rows, all that these refer to, and no original', async () => {
    const bytes = await database();
    await policy('email');
    const { bytes: made, report } = await variants.make({ bytes, format: 'sqlite' }, 'reduced');
    const variant = await opened(made);
    const count = (sql: string) => Number(Object.values(variant.prepare(sql).get() ?? {})[0]);
    assert.deepEqual(variant.prepare('PRAGMA foreign_key_check').all(), []);
    const users = count('SELECT count(*) FROM users');
    assert.ok(users > 3 && users < 100 && count('SELECT count(*) FROM orders') > 5, `${users}`);
    assert.equal(count(`SELECT count(*) FROM users WHERE email LIKE '%corp%' OR login <> email`), 0);
    assert.ok(!made.includes('@corp.example'));
    assert.ok(report.canary.looked > 10 && report.canary.originals > 3);
    variant.close();
    const again = await variants.make({ bytes, format: 'sqlite', pieces: 999 }, 'reduced');
    assert.ok(again.bytes.equals(made));
  });

  it('are withdrawn where a kept column holds originals', async () => {
    const bytes = await database();
    await policy('keep');
    await assert.rejects(variants.make({ bytes, format: 'sqlite' }, 'masked'), {
      code: 'variant-leaks',
      message: /users\.login/,
    });
  });
});
