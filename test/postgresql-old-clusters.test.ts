import assert from 'node:assert/strict';
import { chmod, open } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createPostgresqlService } from '../src/services/postgresql/postgresql-service.ts';
import { createPostgresqlPhysicalService } from '../src/services/postgresql-physical/postgresql-physical-service.ts';
import { check, DrillRig, drillOf } from './drill-rig.ts';
import { type Commit, FollowedCluster } from './followed-cluster.ts';
import { ownedSubfolder } from './postgresql-cluster-server.ts';
import { OLD_SERVERS, SKIP_REASON_OLD } from './postgresql-old.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed, failed } from './postgresql-rig.ts';
import { PostgresqlServer, SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';
import { RunningCapture, resolveTestSecret } from './postgresql-wal-rig.ts';

const skip = SKIP_REASON_OLD || SKIP_REASON;
/** Of the newest server here: servers from packages come without it. It reads manifests of all versions, and WAL of its own. */
const VERIFIER = path.join(SERVER_PROGRAMS ?? '', 'pg_verifybackup');
const [refused, ...backedUp] = OLD_SERVERS;

for (const { major, programs } of backedUp) {
  describe(`a cluster of PostgreSQL ${major} that the service follows`, { skip, timeout: 600_000 }, () => {
    let cluster: FollowedCluster;
    let commits: readonly Commit[];
    before(async () => {
      cluster = await FollowedCluster.create(programs);
      await cluster.call('POST', '/backups', { resourceId: 'shop' });
      commits = await cluster.commitRows(400);
    });
    after(() => cluster.remove());

    /** The server ends in the midst of a transaction, and goes on. */
    const crash = async () => {
      const { server } = cluster;
      const writer = await server.connect();
      await writer.query(
        'BEGIN; INSERT INTO rows (text) SELECT repeat(md5(g::text), 100) FROM generate_series(1, 2000) g',
      );
      await server.stop('immediate');
      await writer.end().catch(() => undefined);
      await server.start();
      const before = commits.length;
      commits = await cluster.commitRows(400);
      return before;
    };

    test('is restored to a moment with exactly the rows that were committed by then, beyond a crash too', async () => {
      // The capture takes some seconds to come back; that does not differ between these versions.
      const before = major === 13 ? await crash() : 0;
      const moment = commits[Math.floor((before + commits.length) / 2)]?.at ?? '';
      const wanted = commits.filter(({ at }) => at <= moment).map(({ id }) => id);
      assert.ok(wanted.length > before);
      assert.deepEqual(await cluster.rowsAt(moment), wanted);
    });

    test('passes a drill that replays its log; assertions are asked from 14 on, and refused before', async () => {
      const asserted = { sql: 'SELECT count(*) FROM rows', equals: commits.length + 1, database: 'postgres' };
      const whole = await cluster.drill(major < 14 ? {} : { assertions: [asserted] });
      assert.equal(whole.error?.message, undefined);
      assert.equal(check(whole, 'replayed')?.outcome, 'passed');
      assert.equal(check(whole, 'assertion')?.outcome, major < 14 ? undefined : 'passed');
      if (major >= 14) return;
      const { outcome, error, checks } = await cluster.drill({ assertions: [asserted] });
      assert.deepEqual([outcome, error?.code, checks], ['impossible', 'postgresql-assertions-need-newer', []]);
      assert.match(error?.message ?? '', /Assertions need PostgreSQL 14.*Leave `assertions` away/);
    });
  });

  describe(`a base backup of PostgreSQL ${major}`, { skip, timeout: 600_000 }, () => {
    const usual = process.env.PATH;
    let rig: PhysicalRig;
    before(async () => {
      process.env.PATH = `${programs}:${usual}`;
      rig = await PhysicalRig.create(programs);
      await chmod(rig.folder, 0o711);
      const location = await ownedSubfolder(rig.server.folder, 'far');
      await rig.server.sql(`CREATE TABLESPACE far LOCATION '${location}'`);
      await rig.server.sql(`CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 50000) g;
        CREATE TABLE far TABLESPACE far AS SELECT g AS id FROM generate_series(1, 1000) g; CHECKPOINT`);
    });
    after(async () => {
      process.env.PATH = usual;
      await rig.remove();
    });

    test('restores with its tablespaces, and every file is as the manifest of the server says', async () => {
      const resourceId = await rig.resource({ maxRate: 1_000_000, checkpoint: 'spread' });
      const backup = await rig.backUp(resourceId, 'incremental');
      assert.deepEqual([backup.type, backup.warnings.length], ['full', 1]);
      assert.deepEqual(await rig.leftovers(), { senders: 0, slots: 0 });
      const target = rig.place('restored');
      const oid = await rig.server.value(`SELECT oid FROM pg_tablespace WHERE spcname = 'far'`);
      completed(await rig.restore(backup, { target, tablespaces: { [oid]: rig.place('restored far') } }));
      await rig.server.program(VERIFIER, '--no-parse-wal', target);
      const restored = await (await rig.startRestored(target)).promoted();
      assert.equal(await restored.value('SELECT count(*) FROM orders JOIN far USING (id)'), '1000');
      const { checks } = await rig.managed.application.resources.test({
        service: 'postgresql-physical',
        configuration: { connection: rig.server.connection() },
      });
      assert.deepEqual(
        checks.filter(({ outcome }) => outcome === 'failed' || outcome === 'warning'),
        [],
      );
    });

    // What does not differ between these versions is asked of one.
    if (major === 13)
      test('is drilled as far as the programs beside its server go, and says which one is missing', async () => {
        const resourceId = await rig.resource();
        await rig.backUp(resourceId);
        const { drill } = await drillOf(rig.managed, resourceId);
        assert.deepEqual([drill.outcome, drill.error?.code], ['impossible', 'postgresql-verifybackup-missing']);
        assert.match(drill.error?.message ?? '', new RegExp(`apt-get install postgresql-${major}`));
        assert.equal(check(drill, 'starts')?.outcome, 'passed');
      });

    test('is refused where a page is not what it was written as, and names the page', async () => {
      const place = await rig.server.value(`SELECT pg_relation_filepath('orders')`);
      await rig.server.stop();
      const file = await open(path.join(rig.server.data, place), 'r+');
      await file.write(Buffer.alloc(8, 0xaa), 0, 8, 17 * 8192 + 4000);
      await file.close();
      await rig.server.start();
      const operation = await rig.ended(await rig.start(await rig.resource()));
      failed(operation, 'postgresql-page-checksum', new RegExp(`page 17 of ${place} has a wrong checksum`));
      const told = await rig.backUp(await rig.resource({ checksums: 'warn' }));
      assert.ok(told.warnings.some((each) => each.includes(`Wrong page checksums in ${place}: page 17`)));
    });
  });
}

describe('a cluster of PostgreSQL 12', { skip, timeout: 600_000 }, () => {
  let server: PostgresqlServer;
  let rig: DrillRig;
  before(async () => {
    server = await PostgresqlServer.start([], refused?.programs, path.dirname(VERIFIER));
    rig = await DrillRig.create([
      createPostgresqlService(resolveTestSecret),
      createPostgresqlPhysicalService(resolveTestSecret, () => ['false']),
    ]);
  });
  after(async () => {
    await rig.remove();
    await server.remove();
  });

  test('is refused by base backups, by the capture of its log, and by the test of its connection', async () => {
    const { resources, backups, logs } = rig.managed.application;
    const configuration = { connection: server.connection() };
    const resource = await resources.put({ id: 'shop', service: 'postgresql-physical', configuration });
    const ended = await rig.ended(await backups.start({ resourceId: 'shop', createdBy: 'test' }));
    failed(ended, 'postgresql-version', /PostgreSQL 12\.22; physical backups need 13.*Use the service `postgresql`/);
    const capture = new RunningCapture(resource, logs.of('shop'));
    await capture.ended;
    assert.match(String(capture.failure), /runs PostgreSQL 12; its WAL is kept from version 13 on/);
    const told = async (service: string, whole: Record<string, unknown>) => {
      const { ok, checks } = await resources.test({ service, configuration: whole });
      const found = checks.filter(({ message }) => message.includes('physical backups need 13'));
      return [ok, ...found.map(({ name, outcome }) => `${name} ${outcome}`)];
    };
    const physical = await told('postgresql-physical', configuration);
    assert.deepEqual(physical, [false, 'replication failed', 'version failed']);
    const logical = await told('postgresql', { ...configuration, databases: ['postgres'] });
    assert.deepEqual(logical, [true, 'physical: version skipped']);
  });
});
