import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { Backup } from '../src/core/backup.ts';
import { findClientTools } from '../src/services/postgresql/client-tools.ts';
import { createPostgresqlService } from '../src/services/postgresql/postgresql-service.ts';
import { downloaded, openDownload } from './downloaded-content.ts';
import { NOTHING, PostgresqlRig } from './postgresql-rig.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { SKIP_REASON } from './postgresql-server.ts';

describe('a download of a PostgreSQL backup', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  const service = createPostgresqlService((reference) => resolveSecret(reference, process.env));
  let rig: PostgresqlRig;
  let backup: Backup;
  let both: Backup;
  const sql = (database: string, script: string) => rig.server.sql(database, script);
  const repository = () => rig.managed.repository;
  /** Into a new database, as one transaction. */
  const load = async (database: string, script: Buffer): Promise<void> => {
    await sql('postgres', `CREATE DATABASE ${database}`);
    await sql(database, script.toString());
  };

  before(async () => {
    rig = await PostgresqlRig.create();
    await sql('postgres', `${SAMPLE_ROLES} CREATE DATABASE shop OWNER shop_owner;`);
    await sql('postgres', `CREATE DATABASE other`);
    await sql('shop', SAMPLE);
    await sql('shop', `CREATE PUBLICATION all_of_it FOR ALL TABLES`);
    await sql('other', `CREATE TABLE one (a int); INSERT INTO one VALUES (7)`);
    backup = await rig.backUp({ databases: ['shop'] });
    both = await rig.backUp({ databases: ['shop', 'other'] });
  });
  after(() => rig.remove());

  test('is SQL that makes all rows anew without owners, privileges and publications', async () => {
    const { bytes, material } = await downloaded(service, repository(), backup, { format: 'sql' });
    assert.deepEqual([material.dialect, material.fileExtension, material.acceptsRanges], ['postgresql', '.sql', false]);
    const text = bytes.toString();
    assert.doesNotMatch(text, /^(GRANT|REVOKE|ALTER .* OWNER TO|CREATE PUBLICATION)/m);
    await load('whole', bytes);
    for (const table of ['sales.customers', 'sales.orders', 'public.child', '"Odd Schema"."a ""quoted"".name; --"']) {
      const rows = `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`;
      assert.equal(await sql('whole', rows), await sql('shop', rows), table);
    }
  });

  test('as custom is the very archive, known by length and checksum, whole or from any byte on', async () => {
    const { bytes, material } = await downloaded(service, repository(), backup, { format: 'custom' });
    assert.equal(bytes.subarray(0, 5).toString(), 'PGDMP');
    assert.deepEqual(
      [material.length, material.sha256, material.acceptsRanges, material.isReproducible],
      [bytes.length, createHash('sha256').update(bytes).digest('hex'), true, true],
    );
    for (const [offset, length] of [
      [0, 1],
      [1000, 50_000],
      [bytes.length - 1, 1],
      [5, bytes.length - 5],
      [bytes.length, 0],
    ] as const) {
      const part = await downloaded(service, repository(), backup, { format: 'custom' }, { offset, length });
      assert.ok(part.bytes.equals(bytes.subarray(offset, offset + length)), `${offset}+${length}`);
    }
    await assert.rejects(
      downloaded(service, repository(), backup, { format: 'custom' }, { offset: 1, length: bytes.length }),
      { code: 'range-invalid' },
    );
    const file = path.join(rig.folder, 'archive');
    await writeFile(file, bytes);
    const tool = (await findClientTools(1)).program('pg_restore');
    assert.match(execFileSync(tool, ['--list', file], { encoding: 'utf8' }), /customers/);
  });

  test('of some tables brings their types, sequences, functions, keys and partitions, and nothing of other tables', async () => {
    const choice = { format: 'sql', tables: ['sales.orders', 'secrets'] } as const;
    const { bytes, warnings } = await downloaded(service, repository(), backup, choice);
    await load('part', bytes);
    const tables = `SELECT string_agg(oid::regclass::text, ' ' ORDER BY oid::regclass::text) FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384`;
    assert.equal(
      await sql('part', tables),
      'sales.orders sales.orders_2025 sales.orders_2026 sales.orders_rest sales.secrets',
    );
    assert.equal(
      await sql('part', 'SELECT count(*), sum(total) FROM sales.orders'),
      await sql('shop', 'SELECT count(*), sum(total) FROM sales.orders'),
    );
    assert.equal(await sql('part', `INSERT INTO sales.secrets VALUES (3, 'x', 'c') RETURNING what`), 'c!');
    assert.match(warnings.join(), /foreign key.*left out/);
    const child = await downloaded(service, repository(), backup, { format: 'sql', tables: ['public.child'] });
    await load('child', child.bytes);
    assert.equal(
      await sql('child', 'SELECT count(*), sum(b) FROM public.parent NATURAL LEFT JOIN public.child'),
      '1|3',
    );
    const customers = await downloaded(service, repository(), backup, { format: 'sql', tables: ['sales.customers'] });
    await load('customers', customers.bytes);
    assert.equal(
      await sql('customers', `INSERT INTO sales.customers (name) VALUES ('new') RETURNING number`),
      String(Number(await sql('shop', 'SELECT max(number) FROM sales.customers')) + 7),
    );
  });

  test('has definitions and constraints alone where no rows are wanted, of all tables or some', async () => {
    const { bytes } = await downloaded(service, repository(), backup, { format: 'sql', schemaOnly: true });
    const text = bytes.toString();
    assert.doesNotMatch(text, /^(COPY|INSERT|SELECT pg_catalog\.(setval|lo_))/m);
    assert.match(text, /ADD CONSTRAINT customers_pkey PRIMARY KEY/);
    assert.match(text, /ADD CONSTRAINT orders_customer_fkey FOREIGN KEY/);
    await load('definitions', bytes);
    assert.equal(await sql('definitions', 'SELECT count(*) FROM sales.customers'), '0');
    const choice = { format: 'sql', tables: ['public.child'], schemaOnly: true } as const;
    const some = (await downloaded(service, repository(), backup, choice)).bytes.toString();
    assert.match(some, /CREATE TABLE public\.child/);
    assert.doesNotMatch(some, /^COPY|sales\.orders/m);
  });

  test('refuses what it has not, before a byte, and names what it has', async () => {
    const refused = (choice: Parameters<typeof openDownload>[3], message: RegExp, of: Backup = backup) =>
      assert.rejects(openDownload(service, repository(), of, choice), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'download-choice-invalid');
        assert.match(error.message, message);
        return true;
      });
    await refused({ format: 'sql', tables: ['sales.absent'] }, /sales\.absent.*sales\.customers/);
    await refused({ format: 'sql', tables: [] }, /No table was named/);
    await refused({ format: 'custom', tables: ['sales.orders'] }, /format=sql/);
    await refused({ format: 'tar' }, /`sql` or `custom`/);
    await refused({ format: 'sql', paths: ['a'] }, /`path`/);
    await refused({ format: 'sql' }, /2 databases.*"other"/, both);
    await refused({ format: 'sql', database: 'third' }, /no database "third"/, both);
  });

  test('of several databases is of the one that is chosen', async () => {
    const { bytes } = await downloaded(service, repository(), both, { format: 'sql', database: 'other' });
    await load('chosen', bytes);
    assert.equal(await sql('chosen', 'SELECT a FROM one'), '7');
  });

  test('leaves no process, file or open work behind when whoever took it goes away', async () => {
    for (const tables of [undefined, ['sales.orders']]) {
      const ending = new AbortController();
      const choice = { format: 'sql' as const, ...(tables === undefined ? {} : { tables }) };
      const aborted = await openDownload(service, repository(), backup, choice, ending.signal);
      await assert.rejects(async () => {
        for await (const _ of aborted.material.bytes()) ending.abort();
      });
      await aborted.close();
      const left = await openDownload(service, repository(), backup, choice);
      for await (const _ of left.material.bytes()) break;
      await left.close();
    }
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });

  test('never ends well when bytes of the dump are damaged', async () => {
    const storage = path.join(rig.folder, 'repository', 'packs');
    const damaged = execFileSync('find', [storage, '-type', 'f', '-size', '+20k'], { encoding: 'utf8' }).split('\n');
    const originals = new Map<string, Buffer>();
    for (const file of damaged.filter(Boolean)) {
      const bytes = await readFile(file);
      originals.set(file, bytes);
      const changed = Buffer.from(bytes);
      changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
      execFileSync('chmod', ['u+w', file]);
      await writeFile(file, changed);
    }
    try {
      for (const format of ['sql', 'custom'] as const)
        await assert.rejects(downloaded(service, repository(), backup, { format }), { kind: 'damaged' });
    } finally {
      for (const [file, bytes] of originals) await writeFile(file, bytes);
    }
    assert.deepEqual((await rig.leftovers()).processes, []);
  });
});
