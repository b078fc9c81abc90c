import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import { completed, failed, NOTHING, PostgresqlRig, sameText } from './postgresql-rig.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { SKIP_REASON } from './postgresql-server.ts';

interface PlannedDatabase {
  target: string;
  action: string;
  drops: string[];
  rows: number;
  tableCount: number;
  dumpBytes: number;
}

describe('a restore of a PostgreSQL database', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PostgresqlRig;
  let backup: Backup;
  const sql = (database: string, script: string) => rig.server.sql(database, script);
  const names = (database: string) => sql(database, `SELECT relname FROM pg_class WHERE oid >= 16384 ORDER BY 1`);

  before(async () => {
    rig = await PostgresqlRig.create();
    await sql('postgres', `${SAMPLE_ROLES} CREATE DATABASE shop OWNER shop_owner;`);
    await sql('shop', SAMPLE);
    backup = await rig.backUp({ databases: ['shop'] });
  });
  after(() => rig.remove());

  test('overwrites nothing that it was not told to, not even the original', async () => {
    await sql('shop', `INSERT INTO sales.customers (name) VALUES ('later')`);
    failed(await rig.restore(backup, {}), 'postgresql-target-exists', /"shop".*targetDatabase.*onExisting/);
    assert.equal(await sql('shop', 'SELECT count(*) FROM sales.customers'), '501');
  });

  test('tells with dryRun what it would make, replace and drop, and touches nothing', async () => {
    await sql('postgres', 'CREATE DATABASE planned');
    await sql('planned', 'CREATE TABLE mine (a int)');
    const planOf = async (options: Record<string, unknown>): Promise<PlannedDatabase> => {
      const operation = completed(await rig.restore(backup, { ...options, dryRun: true }));
      return (operation.result!.databases as PlannedDatabase[])[0]!;
    };
    const fresh = await planOf({ targetDatabase: 'not_there' });
    assert.deepEqual([fresh.action, fresh.rows, fresh.drops], ['create', 2506, []]);
    assert.ok(fresh.dumpBytes > 100_000);
    const replaced = await planOf({ targetDatabase: 'planned', onExisting: 'drop' });
    assert.deepEqual([replaced.action, replaced.drops], ['replace', ['public.mine']]);
    const cleaned = await planOf({ targetDatabase: 'planned', onExisting: 'clean' });
    assert.equal(cleaned.action, 'clean');
    const part = await planOf({ targetDatabase: 'planned', tables: ['sales.secrets'] });
    assert.deepEqual([part.action, part.tableCount, part.rows], ['add', 1, 2]);
    assert.equal(await names('planned'), 'mine');
    assert.equal(await sql('postgres', `SELECT count(*) FROM pg_database WHERE datname = 'not_there'`), '0');
  });

  test('with clean replaces what the backup has and keeps what else is there', async () => {
    completed(await rig.restore(backup, { targetDatabase: 'cleaned' }));
    const whole = await rig.server.dump('cleaned', '--exclude-table=mine');
    await sql('cleaned', `DELETE FROM sales.orders; DROP VIEW sales.late; CREATE TABLE mine AS SELECT 1 AS a`);
    completed(await rig.restore(backup, { targetDatabase: 'cleaned', onExisting: 'clean' }));
    sameText(await rig.server.dump('cleaned', '--exclude-table=mine'), whole);
    assert.equal(await sql('cleaned', 'SELECT a FROM mine'), '1');
  });

  test('with clean that fails leaves the database as it was', async () => {
    completed(await rig.restore(backup, { targetDatabase: 'depended' }));
    await sql('depended', 'CREATE VIEW mine AS SELECT * FROM sales.customers; DELETE FROM sales.secrets');
    const before = await rig.server.dump('depended');
    const operation = await rig.restore(backup, { targetDatabase: 'depended', onExisting: 'clean' });
    failed(operation, 'postgresql-tool-failed', /depend/);
    sameText(await rig.server.dump('depended'), before);
  });

  test('with clean that fails behind the large objects leaves the database as it was', async () => {
    completed(await rig.restore(backup, { targetDatabase: 'late' }));
    await sql(
      'late',
      `DELETE FROM sales.secrets; CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no index today'; END $$;
      CREATE EVENT TRIGGER refusing ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION refuse()`,
    );
    const before = await rig.server.dump('late');
    failed(
      await rig.restore(backup, { targetDatabase: 'late', onExisting: 'clean' }),
      'postgresql-tool-failed',
      /today/,
    );
    sameText(await rig.server.dump('late'), before);
    await sql('late', 'DROP EVENT TRIGGER refusing');
    const again = completed(await rig.restore(backup, { targetDatabase: 'late', onExisting: 'clean' }));
    assert.deepEqual(again.warnings, []);
  });

  test('with drop puts a whole new database in the place of the old one', async () => {
    await sql('postgres', 'CREATE DATABASE dropped');
    await sql('dropped', 'CREATE TABLE mine (a int)');
    completed(await rig.restore(backup, { targetDatabase: 'dropped', onExisting: 'drop' }));
    assert.equal(await names('dropped').then((found) => found.includes('mine')), false);
    assert.equal(await sql('dropped', 'SELECT count(*) FROM sales.orders'), '2000');
  });

  test('replaces no database that is in use, and says who uses it', async () => {
    await sql('postgres', 'CREATE DATABASE used');
    await sql('used', 'CREATE TABLE mine (a int)');
    const sleeping = rig.server.sql('used', 'SELECT pg_sleep(600)').catch(() => undefined);
    const users = `SELECT count(*) FROM pg_stat_activity WHERE datname = 'used' AND query LIKE '%pg_sleep(600)%'`;
    while ((await sql('postgres', users)) !== '1') await new Promise((resolve) => setImmediate(resolve));
    for (const onExisting of ['drop', 'clean']) {
      const operation = await rig.restore(backup, { targetDatabase: 'used', onExisting });
      failed(operation, 'postgresql-database-in-use', /"used" is in use: 1 × postgres \(psql\)/);
    }
    await sql(
      'postgres',
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'used' AND pid <> pg_backend_pid()`,
    );
    await sleeping;
    assert.equal(await names('used'), 'mine');
  });

  test('brings one table with its indexes, keys, sequence and comments back into a database that lost it', async () => {
    completed(await rig.restore(backup, { targetDatabase: 'lost' }));
    const whole = await rig.server.dump('lost');
    const views = 'DROP VIEW sales.late; DROP MATERIALIZED VIEW sales.totals;';
    await sql('lost', `${views} DROP TABLE sales.orders; DROP TABLE sales.secrets`);
    completed(await rig.restore(backup, { targetDatabase: 'lost', tables: ['sales.secrets'] }));
    completed(
      await rig.restore(backup, {
        targetDatabase: 'lost',
        tables: ['sales.orders'],
      }),
    );
    await sql(
      'lost',
      `CREATE VIEW sales.late AS SELECT * FROM sales.orders WHERE at > '2026-06-01';
       CREATE MATERIALIZED VIEW sales.totals AS SELECT state, count(*) AS n, sum(total) AS total FROM sales.orders GROUP BY state`,
    );
    const sorted = (text: string) => text.split('\n').sort().join('\n');
    sameText(sorted(await rig.server.dump('lost')), sorted(whole));
  });

  test('of a table alone leaves out foreign keys to tables that are not there, and says so', async () => {
    await sql('postgres', 'CREATE DATABASE keys');
    await sql(
      'keys',
      `CREATE TABLE owner (id int PRIMARY KEY); INSERT INTO owner VALUES (1);
      CREATE TABLE owned (id int PRIMARY KEY, owner int REFERENCES owner, UNIQUE (owner)); INSERT INTO owned VALUES (1, 1)`,
    );
    const keys = await rig.backUp({ databases: ['keys'] });
    const keysOf = (database: string) =>
      sql(database, `SELECT conname FROM pg_constraint WHERE conrelid = 'owned'::regclass ORDER BY 1`);
    const alone = completed(await rig.restore(keys, { targetDatabase: 'alone', tables: ['public.owned'] }));
    assert.match(alone.warnings.join(), /owned_owner_fkey.*left out/);
    assert.equal(await keysOf('alone'), 'owned_owner_key\nowned_pkey');
    const tables = ['public.owned', 'public.owner'];
    assert.deepEqual(completed(await rig.restore(keys, { targetDatabase: 'both', tables })).warnings, []);
    assert.equal(await keysOf('both'), await keysOf('keys'));
  });

  test('of a table without the type that it needs stops, and makes no database', async () => {
    const options = { targetDatabase: 'typeless', tables: ['sales.orders'] };
    failed(await rig.restore(backup, options), 'postgresql-tool-failed', /type "sales\.state" does not exist/);
    assert.equal(await sql('postgres', `SELECT count(*) FROM pg_database WHERE datname = 'typeless'`), '0');
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });

  test('brings a schema back whole', async () => {
    await sql('postgres', 'CREATE DATABASE part');
    await sql('part', 'CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore; CREATE TABLE mine (a int)');
    completed(await rig.restore(backup, { targetDatabase: 'part', schemas: ['sales'] }));
    const only = (text: string) => text.replaceAll(/^--.*\n/gm, '');
    completed(await rig.restore(backup, { targetDatabase: 'whole' }));
    sameText(
      only(await rig.server.dump('part', '--schema=sales')),
      only(await rig.server.dump('whole', '--schema=sales')),
    );
    failed(
      await rig.restore(backup, { targetDatabase: 'part', schemas: ['nothing'], tables: ['sales.none'] }),
      'postgresql-not-in-backup',
      /nothing, sales\.none/,
    );
  });

  test('brings the definitions alone, and then the rows alone', async () => {
    completed(await rig.restore(backup, { targetDatabase: 'steps', schemaOnly: true }));
    assert.equal(await sql('steps', 'SELECT count(*) FROM sales.customers'), '0');
    completed(await rig.restore(backup, { targetDatabase: 'steps', dataOnly: true }));
    assert.equal(await sql('steps', 'SELECT count(*) FROM sales.orders'), '2000');
    const again = await rig.restore(backup, { targetDatabase: 'steps', dataOnly: true });
    failed(again, 'postgresql-target-exists', /has rows in .*sales\.customers/);
  });

  test('that ends with other rows than were backed up is a failure that names the table', async () => {
    completed(await rig.restore(backup, { targetDatabase: 'differing', schemaOnly: true }));
    await sql(
      'differing',
      `CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
       CREATE TRIGGER losing BEFORE INSERT ON sales.secrets FOR EACH ROW EXECUTE FUNCTION lose();
       ALTER TABLE sales.secrets OWNER TO shop_owner;`,
    );
    await sql('postgres', `ALTER ROLE shop_owner PASSWORD '${rig.server.password}'`);
    const operation = await rig.restore(backup, {
      targetDatabase: 'differing',
      tables: ['sales.secrets'],
      dataOnly: true,
      connection: rig.server.connection('shop_owner'),
    });
    failed(operation, 'postgresql-rows-differ', /sales\.secrets \(2 backed up, 0 restored\)/);
  });

  test('refuses options that contradict each other or that it does not know', async () => {
    for (const options of [
      { schemaOnly: true, dataOnly: true },
      { dataOnly: true, onExisting: 'clean' },
      { onExisting: 'drop', tables: ['sales.orders'] },
      { onExisting: 'overwrite' },
      { tables: ['orders'] },
      { target: 'shop' },
      { connection: { host: 'db', user: 'me', password: 'plain' } },
    ]) {
      failed(await rig.restore(backup, options), 'options-invalid', /./);
    }
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });
});
