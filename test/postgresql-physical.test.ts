import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { appendFile, readFile, readlink, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ClusterServer, ownedSubfolder } from './postgresql-cluster-server.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed } from './postgresql-rig.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';

const ROWS = `SELECT (SELECT sum(hashtext(o::text)) FROM orders o) || ' ' || (SELECT sum(hashtext(f::text)) FROM far f)`;

describe('a physical backup of PostgreSQL', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PhysicalRig;
  let resourceId: string;

  before(async () => {
    rig = await PhysicalRig.create(SERVER_PROGRAMS ?? '');
    const location = await ownedSubfolder(rig.server.folder, 'far away');
    await rig.server.sql(`CREATE TABLESPACE far LOCATION '${location}'`);
    await rig.server.sql(`CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 200000) g;
      ALTER TABLE orders ADD PRIMARY KEY (id);
      CREATE TABLE far (id int PRIMARY KEY, text text) TABLESPACE far;
      INSERT INTO far SELECT g, md5(g::text) FROM generate_series(1, 20000) g`);
    resourceId = await rig.resource();
  });
  after(() => rig.remove());

  test('restores to a folder that starts with every row, with its tablespaces elsewhere', async () => {
    const expected = await rig.server.value(ROWS);
    const backup = await rig.backUp(resourceId);
    assert.equal(backup.type, 'full');
    assert.deepEqual(backup.warnings, []);
    assert.deepEqual(await rig.leftovers(), { senders: 0, slots: 0 });
    await rig.server.sql(`DELETE FROM orders WHERE id % 2 = 0`);
    const target = rig.place('restored');
    const far = rig.place('restored far');
    const old = await rig.server.value(`SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'far'`);
    const { result } = completed(await rig.restore(backup, { target, tablespaces: { [old]: far } }));
    assert.equal(result?.target, target);
    assert.equal(result?.recoverTo, 'immediate');
    assert.equal((await stat(target)).mode & 0o777, 0o700);
    const oid = await rig.server.value(`SELECT oid FROM pg_tablespace WHERE spcname = 'far'`);
    assert.equal(await readlink(path.join(target, 'pg_tblspc', oid)), far);
    assert.ok(existsSync(path.join(target, 'recovery.signal')));
    // The server's own tool, against the server's own manifest.
    await rig.server.program('pg_verifybackup', target);
    const restored = await rig.startRestored(target);
    assert.equal(await restored.value(ROWS), expected);
    assert.match(await readFile(path.join(target, 'postgresql.auto.conf'), 'utf8'), /restore_command = 'false'/);
  });

  test('stores little the second time, after changes of a few scattered pages', async () => {
    await rig.server.sql('CHECKPOINT');
    const first = await rig.backUp(resourceId);
    await rig.server.sql(`UPDATE orders SET text = 'changed' WHERE id % 5000 = 1`);
    const second = await rig.backUp(resourceId);
    const { newBytes, sourceBytes } = second.statistics;
    // The WAL that makes it consistent is new each time: a segment of 16 MiB, or two where it crossed into the next.
    assert.ok(newBytes < 2 * 16 * 1024 * 1024 + 4 * 1024 * 1024, `${newBytes} of ${sourceBytes}`);
    assert.ok(first.statistics.sourceBytes > 50_000_000);
    const incremental = await rig.backUp(resourceId, 'incremental');
    assert.equal(incremental.type, 'full');
    assert.equal(incremental.requestedType, 'incremental');
    assert.match(incremental.warnings[0] ?? '', /from 17 on\. Made a full backup/);
  });

  test('records what its cluster is', async () => {
    const backup = await rig.backUp(resourceId);
    const reader = await rig.managed.repository.openSnapshot(backup.id);
    const data = reader.record.serviceData as Record<string, unknown>;
    await reader.close();
    assert.equal(
      data.systemIdentifier,
      await rig.server.value('SELECT system_identifier::text FROM pg_control_system()'),
    );
    assert.deepEqual([data.major, data.dataChecksums, data.walSegmentBytes, data.pageBytes], [15, true, 1 << 24, 8192]);
    assert.match(String(data.stopLsn), /^[0-9A-F]+\/[0-9A-F]+$/);
    assert.ok(Date.parse(String(data.startedAt)) <= Date.parse(String(data.stoppedAt)));
    const databases = data.databases as { name: string; bytes: number }[];
    assert.ok((databases.find(({ name }) => name === 'postgres')?.bytes ?? 0) > 1_000_000);
  });

  test('shows in a dry run what a restore would do, and does nothing', async () => {
    const backup = await rig.backUp(resourceId);
    const [far = ''] = [rig.place('dry far')];
    const oid = await rig.server.value(`SELECT oid FROM pg_tablespace WHERE spcname = 'far'`);
    const options = { target: rig.place('dry'), tablespaces: { [oid]: far }, dryRun: true };
    const { result } = completed(await rig.restore(backup, options));
    assert.deepEqual([result?.dryRun, result?.tablespaces], [true, { [oid]: far }]);
    const plan = result?.plan as { created: { names: string[] }; bytes: number };
    assert.deepEqual([plan.created.names, plan.bytes], [[options.target, far], backup.size]);
    assert.match(String(result?.start), /^pg_ctl -D .*dry start$/);
    assert.ok(!existsSync(options.target) && !existsSync(far));
  });

  test('restores into an empty folder that exists, by a role that may only replicate', async () => {
    await rig.server.sql(`CREATE ROLE backup LOGIN REPLICATION PASSWORD '${rig.server.password}'`);
    const backup = await rig.backUp(await rig.resource({ connection: rig.server.connection('backup') }));
    const target = await ownedSubfolder(rig.folder, 'empty');
    const location = await rig.server.value(
      `SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'far'`,
    );
    completed(await rig.restore(backup, { target, tablespaces: { [location]: rig.place('empty far') } }));
    const restored = await rig.startRestored(target);
    assert.equal(await restored.value(ROWS), await rig.server.value(ROWS));
  });

  test('takes a standby as its source, and makes no standby of what it restores', async () => {
    const far = await rig.server.value(`SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'far'`);
    const target = rig.place('standby');
    const options = { target, tablespaces: { [far]: rig.place('standby far') } };
    completed(await rig.restore(await rig.backUp(resourceId), options));
    const { folder, port, password } = rig.server;
    const primary = `host=${folder} port=${port} user=postgres password=${password}`;
    await appendFile(
      path.join(target, 'postgresql.auto.conf'),
      `primary_conninfo = '${primary}'\nrecovery_target = ''\n`,
    );
    await rename(path.join(target, 'recovery.signal'), path.join(target, 'standby.signal'));
    const standby = await rig.startRestored(target);
    const id = await rig.resource({ connection: { ...rig.server.connection(), ...standby.place } });
    const backup = await rig.backUp(id);
    const again = rig.place('of standby');
    completed(
      await rig.restore(backup, { target: again, tablespaces: { [rig.place('standby far')]: rig.place('far 2') } }),
    );
    assert.ok(!existsSync(path.join(again, 'standby.signal')));
    const restored = await (await rig.startRestored(again)).promoted();
    assert.equal(await restored.value(ROWS), await rig.server.value(ROWS));
    await standby.stop();
  });

  test('keeps tablespaces that lie within the data folder there', async () => {
    const server = await ClusterServer.create(SERVER_PROGRAMS ?? '', { settings: ['allow_in_place_tablespaces = on'] });
    try {
      await server.sql(`CREATE TABLESPACE within LOCATION ''`);
      await server.sql('CREATE TABLE inside TABLESPACE within AS SELECT g FROM generate_series(1, 1000) g');
      const backup = await rig.backUp(await rig.resource({ connection: server.connection() }));
      const target = rig.place('within');
      completed(await rig.restore(backup, { target }));
      const restored = await rig.startRestored(target);
      assert.equal(await restored.value('SELECT count(*) FROM inside'), '1000');
    } finally {
      await server.remove();
    }
  });

  test('is foretold by a test of the connection', async () => {
    const outcomes = async (configuration: Record<string, unknown>) => {
      const whole = { connection: rig.server.connection(), ...configuration };
      const { checks } = await rig.managed.application.resources.test({
        service: 'postgresql-physical',
        configuration: whole,
      });
      return checks;
    };
    const good = await outcomes({});
    assert.deepEqual(
      good.filter(({ outcome }) => outcome === 'failed' || outcome === 'warning'),
      [],
    );
    assert.ok(good.some(({ name, message }) => name === 'version' && message.includes('PostgreSQL 15.')));
    await rig.server.sql(`CREATE ROLE unable LOGIN PASSWORD '${rig.server.password}'`);
    const bad = await outcomes({ connection: rig.server.connection('unable') });
    const failures = bad.filter(({ outcome }) => outcome === 'failed');
    assert.match(failures[0]?.message ?? '', /may not make a physical backup.*ALTER ROLE "unable" REPLICATION/);
    assert.deepEqual(await rig.leftovers(), { senders: 0, slots: 0 });
  });
});
