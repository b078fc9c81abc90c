import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import { Connection } from '../src/services/postgresql/connection.ts';
import { connectionSchema } from '../src/services/postgresql/connection-schema.ts';
import { Session } from '../src/services/postgresql/session.ts';
import { SlotUse } from '../src/services/postgresql-physical/held-wal.ts';
import { eventually } from './eventually.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import { ClusterServer } from './postgresql-cluster-server.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed } from './postgresql-rig.ts';

describe('a slot that holds the WAL of a backup of PostgreSQL 18', { skip: SKIP_REASON_18, timeout: 120_000 }, () => {
  let server: ClusterServer;
  before(async () => {
    server = await ClusterServer.create(POSTGRESQL_18_PROGRAMS, { settings: ['idle_replication_slot_timeout = 1s'] });
  });
  after(() => server.remove());

  test('outlives the time after which the server ends sessions with idle slots, and leaves the session to other work', async () => {
    const client = await server.connect();
    const run = async (text: string) => void (await client.query(text));
    await run(`SELECT pg_create_physical_replication_slot('held', true, true)`);
    const held = await server.value('SELECT restart_lsn FROM pg_replication_slots');
    const use = new SlotUse({ run }, 'held', 100);
    await delay(2500);
    // The server looks for idle slots at checkpoints.
    await server.sql('CREATE TABLE written AS SELECT 1 AS one; CHECKPOINT');
    const { rows } = await use.pause(() => client.query('SELECT pg_sleep(0.3)::text, 1 AS one'));
    assert.equal(rows[0].one, 1);
    assert.equal(await server.value('SELECT restart_lsn FROM pg_replication_slots'), held);
    use.verify();
    use.stop();
    await client.end();
  });

  test('tells at once that the server ended its session, so that nobody reads on in vain', async () => {
    const signal = new AbortController().signal;
    const connection = await Connection.open(connectionSchema.parse(server.connection()), (reference) =>
      resolveSecret(reference, process.env),
    );
    const session = await Session.open(connection, 'postgres', signal);
    await session.run(`SELECT pg_create_physical_replication_slot('ended', true, true)`);
    const { pid } = await session.row<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const use = new SlotUse(session, 'ended', 50);
    await server.sql(`SELECT pg_terminate_backend(${pid})`);
    const failure = { code: 'postgresql-connection-lost', message: /max_slot_wal_keep_size/ };
    const isTold = () => {
      try {
        use.verify();
        return false;
      } catch (error) {
        assert.throws(() => {
          throw error;
        }, failure);
        return true;
      }
    };
    await eventually(isTold, 'nobody was told');
    use.stop();
    await session.close();
  });
});

describe('a backup that PostgreSQL 18 sends for longer than slots may be idle', {
  skip: SKIP_REASON_18,
  timeout: 180_000,
}, () => {
  test('is not ended for its slot’s sake', async () => {
    const settings = ['idle_replication_slot_timeout = 12s'];
    const rig = await PhysicalRig.create(POSTGRESQL_18_PROGRAMS, { settings });
    try {
      const operation = await rig.start(await rig.resource({ maxRate: 1024 }));
      await delay(14_000);
      assert.equal((await rig.managed.application.operations.get(operation.id)).completedAt, undefined);
      await rig.server.sql('CREATE TABLE written AS SELECT 1 AS one; CHECKPOINT');
      completed(await rig.ended(operation));
      assert.ok(!/terminating process/.test(rig.server.log()), rig.server.log());
      assert.deepEqual(await rig.leftovers(), { senders: 0, slots: 0 });
    } finally {
      await rig.remove();
    }
  });
});
