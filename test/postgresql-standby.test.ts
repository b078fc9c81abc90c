import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import { Connection } from '../src/services/postgresql/connection.ts';
import { connectionSchema } from '../src/services/postgresql/connection-schema.ts';
import { createPostgresqlService } from '../src/services/postgresql/postgresql-service.ts';
import { Session } from '../src/services/postgresql/session.ts';
import { StoredBackup } from '../src/services/postgresql/stored-backup.ts';
import { toolFailure } from '../src/services/postgresql/tool-failure.ts';
import { DrillRig } from './drill-rig.ts';
import { eventually } from './eventually.ts';
import { completed } from './postgresql-rig.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { WalCluster } from './postgresql-wal-cluster.ts';

const CONFLICT = /conflict with recovery\. Raise its `max_standby_streaming_delay`, or set `hot_standby_feedback = on`/;
const CANCELLED = 'ERROR:  canceling statement due to conflict with recovery';

describe('databases of a standby', { skip: SKIP_REASON, timeout: 600_000 }, () => {
  let primary: WalCluster;
  let standby: WalCluster;
  let rig: DrillRig;

  before(async () => {
    primary = await WalCluster.create();
    await primary.query(`CREATE TABLE orders AS SELECT g AS id, repeat('x', 100) AS filler FROM generate_series(1, 20000) g;
      CREATE TABLE customers (id int); INSERT INTO customers VALUES (1), (2), (3);
      CREATE UNLOGGED TABLE sessions (id int GENERATED ALWAYS AS IDENTITY, filler text);
      INSERT INTO sessions (filler) SELECT repeat('s', 200) FROM generate_series(1, 20000);
      CREATE UNLOGGED TABLE cache (id int)`);
    standby = await primary.copy(['-X', 'stream', '-R']);
    await standby.start();
    rig = await DrillRig.create([createPostgresqlService((reference) => resolveSecret(reference, process.env))]);
    for (const [id, server] of Object.entries({ primary, standby })) {
      const configuration = { connection: server.connection(), databases: ['postgres'] };
      await rig.managed.application.resources.put({ id, service: 'postgresql', configuration });
    }
  });
  after(async () => {
    await rig.remove();
    await standby.remove();
    await primary.remove();
  });

  const caughtUp = async () => {
    const [row] = await primary.query('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    await eventually(async () => {
      const [reached] = await standby.query<{ is: boolean }>(`SELECT pg_last_wal_replay_lsn() >= '${row?.lsn}' AS is`);
      return reached?.is === true;
    }, 'the standby does not follow');
  };

  const rowsOf = async (id: string) => {
    const backup = await rig.backUp(id);
    const reader = await rig.managed.repository.openSnapshot(backup.id);
    try {
      const { contents } = await StoredBackup.open([{ backup, reader }]);
      const rows = contents.databases[0]!.tables.map(({ name, rows }) => [name, rows]);
      return { backup, rows: Object.fromEntries(rows) as Record<string, number | undefined> };
    } finally {
      await reader.close();
    }
  };

  test('are backed up without the rows of unlogged tables, which it has not, with a warning that names these', async () => {
    await caughtUp();
    const { backup, rows } = await rowsOf('standby');
    assert.deepEqual(rows, { cache: undefined, customers: 3, orders: 20_000, sessions: undefined });
    assert.equal(backup.warnings.length, 1);
    assert.match(backup.warnings[0]!, /^postgres: .*public\.cache, public\.sessions are backed up without rows/);
    const options = { connection: primary.connection(), targetDatabase: 'again' };
    const { restores } = rig.managed.application;
    const { operation } = await restores.restore({ backupId: backup.id, createdBy: 'test', options });
    assert.deepEqual(completed(await rig.ended(operation)).warnings, []);
    const [found] = await primary.rows(
      'SELECT (SELECT count(*)::int FROM orders) AS orders, (SELECT count(*)::int FROM sessions) AS sessions',
      'again',
    );
    assert.deepEqual(found, { orders: 20_000, sessions: 0 });
    const { drill } = await rig.drill('standby');
    assert.equal(drill.error?.message, undefined);
  });

  test('are told to be cut off by the log of the primary, with what to set', async () => {
    await standby.query(`ALTER SYSTEM SET max_standby_streaming_delay = 0`);
    await standby.query('SELECT pg_reload_conf()');
    const connection = new Connection(connectionSchema.parse(standby.connection()), standby.password);
    const [idle, busy] = [await Session.open(connection, 'postgres'), await Session.open(connection, 'postgres')];
    try {
      await idle.run('BEGIN; SELECT count(*) FROM public.customers');
      const sleeping = busy.run('SELECT pg_sleep(600) FROM public.customers');
      const told = assert.rejects(sleeping, { code: 'postgresql-standby-conflict', message: CONFLICT });
      const locks = `SELECT count(*)::int AS count FROM pg_locks WHERE relation = 'customers'::regclass`;
      await eventually(
        async () => (await standby.query<{ count: number }>(locks))[0]?.count === 2,
        'nothing is locked',
      );
      await primary.query('ALTER TABLE customers ADD COLUMN more int');
      await told;
      await caughtUp();
      await assert.rejects(idle.run('SELECT 1'), { code: 'postgresql-standby-conflict', message: CONFLICT });
      const end = { exitCode: 1, signal: null, stderr: `pg_dump: error: Error message from server: ${CANCELLED}` };
      const { code, kind } = toolFailure(end, { tool: 'pg_dump', database: 'postgres', connection });
      assert.deepEqual([code, kind], ['postgresql-standby-conflict', 'unavailable']);
    } finally {
      await idle.close();
      await busy.close();
    }
  });

  test('are backed up with all rows where they are those of the primary', async () => {
    const { backup, rows } = await rowsOf('primary');
    assert.deepEqual(rows, { cache: 0, customers: 3, orders: 20_000, sessions: 20_000 });
    assert.deepEqual(backup.warnings, []);
  });
});
