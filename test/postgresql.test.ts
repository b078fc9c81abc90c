import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import { StoredBackup, type StoredFile } from '../src/services/postgresql/stored-backup.ts';
import { completed, NOTHING, PostgresqlRig, sameText } from './postgresql-rig.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { SKIP_REASON } from './postgresql-server.ts';

interface StoredTable {
  schema: string;
  name: string;
  rows?: number;
}

describe('a PostgreSQL database that is backed up', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PostgresqlRig;
  let backup: Backup;
  const sql = (database: string, script: string) => rig.server.sql(database, script);

  before(async () => {
    rig = await PostgresqlRig.create();
    await sql('postgres', `${SAMPLE_ROLES} CREATE DATABASE shop OWNER shop_owner;`);
    await sql('shop', SAMPLE);
    await sql(
      'postgres',
      `COMMENT ON DATABASE shop IS 'the shop';
      ALTER DATABASE shop SET search_path = sales, "Odd Schema", public;
      ALTER DATABASE shop SET work_mem = '5MB';
      ALTER ROLE shop_owner IN DATABASE shop SET statement_timeout = '7s';
      REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO shop_reader;`,
    );
    backup = await rig.backUp({ databases: ['shop'] });
  });
  after(() => rig.remove());

  test('comes back as a new database with all its objects, rows and properties', async () => {
    const operation = await rig.restore(backup, { targetDatabase: 'shop_again' });
    completed(operation);
    assert.deepEqual(operation.warnings, []);
    sameText(await rig.server.dump('shop_again'), await rig.server.dump('shop'));
    const properties = `SELECT pg_get_userbyid(datdba), encoding, datcollate, shobj_description(oid, 'pg_database'), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a),
      (SELECT array_agg((setrole::regrole, setconfig) ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
      FROM pg_database d WHERE datname = `;
    assert.equal(await sql('shop', `${properties}'shop_again'`), await sql('shop', `${properties}'shop'`));
    const [report] = operation.result!.databases as { action: string; tables: number; rows: number }[];
    assert.deepEqual([report?.action, report?.rows], ['create', 500 + 2000 + 2 + 2 + 2]);
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });

  test('is listed with the rows and sizes that it had in the snapshot of the dump', async () => {
    const contents = JSON.parse((await rig.file(backup, 'contents.json')).toString());
    const [shop] = contents.databases;
    const rows = Object.fromEntries(
      (shop.tables as StoredTable[]).map(({ schema, name, rows }) => [`${schema}.${name}`, rows]),
    );
    assert.equal(rows['sales.customers'], 500);
    assert.equal(rows['public.parent'], 1);
    assert.equal(rows['Odd Schema.a "quoted".name; --'], 2);
    assert.equal(
      (rows['sales.orders_2025'] ?? 0) + (rows['sales.orders_2026'] ?? 0) + (rows['sales.orders_rest'] ?? 0),
      2000,
    );
    assert.equal(shop.largeObjects, 3);
    assert.match(contents.server.version, /^\d+\.\d+/);
    assert.ok(shop.bytes > 1_000_000);
  });

  test('is given as plain SQL that psql understands', async () => {
    const text = await rig.content(backup);
    await sql('postgres', 'CREATE DATABASE from_stream');
    await sql('from_stream', text.toString());
    sameText(await rig.server.dump('from_stream'), await rig.server.dump('shop'));
  });

  test('is restored by several jobs at once, from a temporary file that is gone afterwards', async () => {
    const operation = await rig.restore(backup, { targetDatabase: 'shop_jobs', jobs: 3 });
    completed(operation);
    sameText(await rig.server.dump('shop_jobs', '--schema-only'), await rig.server.dump('shop', '--schema-only'));
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });

  test('is not given to its end where a dump is not what its checksum says', async () => {
    const reader = await rig.managed.repository.openSnapshot(backup.id);
    try {
      const stored = await StoredBackup.open([{ backup, reader }]);
      const { dump } = stored.contents.databases[0]!;
      const read = async (file: StoredFile) => {
        let bytes = 0;
        for await (const piece of stored.bytes(file, new AbortController().signal)) bytes += piece.length;
        return bytes;
      };
      assert.equal(await read(dump), dump.bytes);
      await assert.rejects(read({ ...dump, sha256: '0'.repeat(64) }), { code: 'checksum-differs' });
    } finally {
      await reader.close();
    }
  });
});
