import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed } from './postgresql-rig.ts';

const ROWS = `SELECT (SELECT sum(hashtext(o::text)) FROM orders o) || ' ' || (SELECT sum(hashtext(g::text)) FROM growing g)
  || ' ' || (SELECT count(*) FROM shrinking) || ' ' || (SELECT count(*) FROM orders WHERE text LIKE 'c4%')`;

describe('an incremental physical backup of PostgreSQL 18', { skip: SKIP_REASON_18, timeout: 1_200_000 }, () => {
  let rig: PhysicalRig;
  let resourceId: string;

  before(async () => {
    rig = await PhysicalRig.create(POSTGRESQL_18_PROGRAMS, { settings: ['summarize_wal = on'] });
    await rig.server.sql(`CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 200000) g;
      ALTER TABLE orders ADD PRIMARY KEY (id); CREATE INDEX ON orders (text);
      CREATE TABLE growing AS SELECT g AS id FROM generate_series(1, 1000) g;
      CREATE TABLE shrinking AS SELECT g AS id FROM generate_series(1, 50000) g`);
    resourceId = await rig.resource();
  });
  after(() => rig.remove());

  /** Sets it, and waits until the server and what writes the summaries know of it. */
  async function summarizes(value: 'on' | 'off'): Promise<void> {
    await rig.server.sql(`ALTER SYSTEM SET summarize_wal = ${value}`);
    await rig.server.sql('SELECT pg_reload_conf()');
    const isRunning = `SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsummarizer'`;
    const isSo = async () =>
      (await rig.server.value('SHOW summarize_wal')) === value &&
      (await rig.server.value(isRunning)) === (value === 'on' ? '1' : '0');
    await eventually(isSo, `summarize_wal did not become ${value}`);
  }

  async function restores(backup: Awaited<ReturnType<PhysicalRig['backUp']>>, name: string): Promise<string> {
    const target = rig.place(name);
    completed(await rig.restore(backup, { target }));
    const restored = await (await rig.startRestored(target)).promoted();
    // Every index and heap page is read and must fit the others.
    await restored.sql(`CREATE EXTENSION IF NOT EXISTS amcheck; SELECT bt_index_check(oid, true) FROM pg_class
      WHERE relkind = 'i' AND relam = (SELECT oid FROM pg_am WHERE amname = 'btree')`);
    const rows = await restored.value(ROWS);
    await restored.stop();
    return rows;
  }

  test('restores by itself to what the whole cluster was, and stores only what changed', async () => {
    const full = await rig.backUp(resourceId);
    await rig.server.sql(`UPDATE orders SET text = 'changed' WHERE id % 20000 = 7;
      INSERT INTO growing SELECT g FROM generate_series(1001, 100000) g; DELETE FROM shrinking WHERE id > 100`);
    await rig.server.sql('VACUUM shrinking');
    await sleep(200);
    const first = await rig.server.value(ROWS);
    const incremental = await rig.backUp(resourceId, 'incremental');
    assert.deepEqual(incremental.warnings, []);
    assert.equal(incremental.type, 'incremental');
    assert.equal(incremental.parentId, full.id);
    assert.equal(incremental.chainLength, 0);
    // A segment of WAL, 16 MiB, is part of each.
    assert.ok(incremental.statistics.readBytes < full.statistics.readBytes * 0.7);
    assert.ok(incremental.statistics.newBytes < full.statistics.newBytes / 2);
    await rig.server.sql(`UPDATE orders SET text = 'changed again' WHERE id % 20000 = 8`);
    const second = await rig.server.value(ROWS);
    const further = await rig.backUp(resourceId, 'incremental');
    assert.deepEqual([further.type, further.parentId, further.warnings], ['incremental', incremental.id, []]);
    const differential = await rig.backUp(resourceId, 'differential');
    assert.deepEqual([differential.type, differential.parentId], ['differential', full.id]);
    // Each one is complete without those that it was made from.
    const { backups } = rig.managed.application;
    for (const each of [full, incremental]) assert.ok((await backups.get(each.id)).size > 0);
    assert.equal(await restores(incremental, 'first'), first);
    assert.equal(await restores(further, 'second'), second);
    assert.equal(await restores(differential, 'third'), second);
  });

  test('becomes a full one that says why, where the server cannot tell what changed', async () => {
    const base = await rig.backUp(resourceId);
    await summarizes('off');
    const without = await rig.backUp(resourceId, 'incremental');
    assert.deepEqual([without.type, without.requestedType], ['full', 'incremental']);
    assert.match(without.warnings[0] ?? '', /summarize_wal = on.*Made a full backup/);
    const summaries = path.join(rig.server.data, 'pg_wal', 'summaries');
    for (const name of await readdir(summaries)) await rm(path.join(summaries, name));
    // The WAL of the time since the earlier backup goes too, so that it cannot be looked through again.
    for (let times = 0; times < 4; times++)
      await rig.server.sql(`INSERT INTO growing VALUES (${times}); SELECT pg_switch_wal()`);
    await rig.server.sql('CHECKPOINT');
    await summarizes('on');
    await rig.server.sql('INSERT INTO growing VALUES (0); SELECT pg_switch_wal(); CHECKPOINT');
    await sleep(1000);
    const again = await rig.backUp(base.resourceId, 'differential');
    assert.deepEqual([again.type, again.warnings.length], ['full', 1]);
    assert.match(again.warnings[0] ?? '', /can make no incremental backup on .*summaries.*made a full one/);
    assert.equal(await restores(again, 'again'), await rig.server.value(ROWS));
  });
});
