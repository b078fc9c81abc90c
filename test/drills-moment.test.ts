import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { ResourceLog } from '../src/core/ports/resource-log.ts';
import { createPostgresqlPhysicalService } from '../src/services/postgresql-physical/postgresql-physical-service.ts';
import { walFiles } from '../src/services/postgresql-physical/wal-files.ts';
import { check, DrillRig } from './drill-rig.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import { ClusterServer } from './postgresql-cluster-server.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';
import { processesIn } from './processes.ts';

for (const [version, programs, skip] of [
  ['PostgreSQL of this machine', SERVER_PROGRAMS ?? '', SKIP_REASON],
  ['PostgreSQL 18', POSTGRESQL_18_PROGRAMS, SKIP_REASON_18],
] as const) {
  // What does not differ between versions is asked of one, the other drills of which are in drills-physical.test.ts.
  const is18 = programs === POSTGRESQL_18_PROGRAMS;
  describe(`restore drills that replay the WAL of a ${version}`, { skip, timeout: 1_200_000 }, () => {
    const usual = process.env.PATH;
    let server: ClusterServer;
    let rig: DrillRig;
    let log: ResourceLog;
    /** When each row was committed, by the server's clock, and the segment that holds that. */
    const commits: { at: string; segment: string }[] = [];
    const count = (rows: number) => ({ sql: 'SELECT count(*) FROM rows', equals: rows, database: 'postgres' });
    let first: string;
    const pushUpTo = async (last: string): Promise<void> => {
      const between = `SELECT name FROM pg_ls_waldir() WHERE name BETWEEN '${first}' AND '${last}' ORDER BY name`;
      for (const { name } of await server.sql(between))
        await walFiles.push(log, path.join(server.data, 'pg_wal', String(name)), { parallel: 0 });
    };
    const commitRow = async (): Promise<void> => {
      await server.sql(`INSERT INTO rows VALUES (${commits.length + 1})`);
      const at = await server.value(
        `SELECT to_char(max(pg_xact_commit_timestamp(xmin)) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM rows`,
      );
      const segment = await server.value('SELECT pg_walfile_name(lsn - 1) FROM (SELECT pg_switch_wal() AS lsn) s');
      await pushUpTo(segment);
      commits.push({ at, segment });
    };
    const plannedRestore = async (timestamp: string) => {
      const options = { target: path.join(rig.folder, 'restored'), dryRun: true };
      const request = { resourceId: 'cluster', timestamp, createdBy: 'test', options };
      return rig.ended((await rig.managed.application.restores.restorePointInTime(request)).operation);
    };
    before(async () => {
      process.env.PATH = `${programs}:${usual}`;
      server = await ClusterServer.create(programs, {
        settings: ['track_commit_timestamp = on'],
        initdb: ['--wal-segsize=1', '--data-checksums'],
      });
      const service = createPostgresqlPhysicalService(
        (reference) => resolveSecret(reference, process.env),
        () => ['false'],
      );
      rig = await DrillRig.create([service]);
      log = rig.managed.application.logs.of('cluster');
      const configuration = { connection: server.connection() };
      await rig.managed.application.resources.put({ id: 'cluster', service: 'postgresql-physical', configuration });
      await server.sql('CREATE TABLE rows (id int)');
      first = await server.value('SELECT pg_walfile_name(pg_current_wal_lsn())');
      await rig.backUp('cluster');
      for (let row = 1; row <= 8; row++) await commitRow();
    });
    after(async () => {
      process.env.PATH = usual;
      await rig.remove();
      await server.remove();
    });
    afterEach(async () => {
      assert.deepEqual(await rig.leftovers(), []);
      assert.deepEqual(processesIn(rig.folder), []);
    });

    if (is18)
      test('bring back what the end of the log says', async () => {
        const { drill } = await rig.drill('cluster', { assertions: [count(8)] });
        assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
        assert.equal(drill.moment, undefined);
        assert.equal(check(drill, 'replayed')?.outcome, 'passed');
        assert.equal(drill.recoveryPoint.log?.at, commits[7]?.at);
      });

    test('bring back a moment, with all that was committed by then and nothing else, and say how far that is', async () => {
      const { at = '' } = commits[1] ?? {};
      const { drill } = await rig.drill('cluster', { moment: at, assertions: [count(2)] });
      assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
      assert.equal(drill.which, 'moment');
      assert.deepEqual([drill.moment?.which, drill.moment?.at, drill.moment?.reached?.at], ['chosen', at, at]);
      const { expected, found, outcome } = check(drill, 'replayed') ?? {};
      assert.equal(outcome, 'passed');
      assert.equal(found?.split(',')[0], expected);
      assert.equal(expected, `up to ${drill.moment?.reached?.position}`);
      // What is proven of an earlier moment is no newer recovery point.
      assert.equal(drill.recoveryPoint.log, undefined);
    });

    if (is18) return;

    test('bring back a moment after the last transaction, before which a server would not stop by itself', async () => {
      const moment = (await log.pieces()).at(-1)?.completedAt ?? '';
      const { drill } = await rig.drill('cluster', { moment, assertions: [count(8)] });
      assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
      assert.match(check(drill, 'replayed')?.description ?? '', /no transaction ended after/);
      const warned = /has no transaction that ended after .* restore then with `recoverTo: "latest"`/;
      assert.match((await plannedRestore(moment)).warnings.join(), warned);
      assert.doesNotMatch((await plannedRestore(commits[1]?.at ?? '')).warnings.join(), warned);
    });

    test('bring back a moment that nobody chose', async () => {
      const { drill } = await rig.drill('cluster', { moment: 'random' });
      assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
      const { which, at = '', reached } = drill.moment ?? {};
      assert.equal(which, 'random');
      assert.ok(at >= drill.backup.createdAt && at <= ((await log.pieces()).at(-1)?.completedAt ?? ''), at);
      assert.ok((reached?.at ?? '').slice(0, 23) <= at.slice(0, 23));
    });

    test('are refused for moments that no backup and no log lead to', async () => {
      const code = async (request: Parameters<DrillRig['drill']>[1]) =>
        rig.drill('cluster', request).then(
          () => 'none',
          (error: { code: string }) => error.code,
        );
      assert.equal(await code({ moment: '2020-01-01T00:00:00Z' }), 'moment-not-in-log');
      assert.equal(await code({ moment: new Date(Date.now() + 60_000).toISOString() }), 'moment-not-in-log');
      for (const none of ['yesterday', '2026-02-30T12:00:00Z', '2026-01-31T12:00Z'])
        assert.equal(await code({ moment: none }), 'timestamp-invalid');
      assert.equal(await code({ moment: 'random', which: 'random' }), 'drill-choice-mixed');
    });

    test('fail for moments behind a segment that is missing, which they name', async () => {
      const { segment } = commits[6] ?? {};
      await log.remove((await log.pieces()).filter(({ facts }) => facts.segment === segment));
      const { drill } = await rig.drill('cluster', { moment: commits[7]?.at ?? '' });
      assert.deepEqual([drill.outcome, drill.fault, drill.error?.code], ['failed', 'backup', 'wal-gap']);
      assert.match(drill.error?.message ?? '', new RegExp(`${segment} lies there`));
    });
  });
}
