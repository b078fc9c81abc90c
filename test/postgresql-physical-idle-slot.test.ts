import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SlotUse } from '../src/services/postgresql-physical/held-wal.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import { ClusterServer } from './postgresql-cluster-server.ts';

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
    use.stop();
    await client.end();
  });
});
