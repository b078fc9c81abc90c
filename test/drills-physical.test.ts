import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { DrillContext } from '../src/core/ports/service-drill.ts';
import { createPostgresqlPhysicalService } from '../src/services/postgresql-physical/postgresql-physical-service.ts';
import { walFiles } from '../src/services/postgresql-physical/wal-files.ts';
import { check, DrillRig, outcomes } from './drill-rig.ts';
import { flip } from './flipped-bytes.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { processesIn } from './processes.ts';

describe('restore drills of PostgreSQL clusters', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let server: PostgresqlServer;
  let rig: DrillRig;
  /** Called with the restored data folder before its files are compared. */
  let meanwhile: ((dataFolder: string) => Promise<void>) | undefined;
  let relation: string;
  before(async () => {
    server = await PostgresqlServer.start();
    const service = createPostgresqlPhysicalService(
      (reference) => resolveSecret(reference, process.env),
      () => ['false'],
    );
    rig = await DrillRig.create([disturbed(service, async (folder) => meanwhile?.(folder))]);
    await server.sql('postgres', 'CREATE DATABASE shop');
    await server.sql(
      'shop',
      'CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 20000) g; CREATE INDEX ON orders (id); CHECKPOINT;',
    );
    relation = await server.sql('shop', `SELECT pg_relation_filepath('orders')`);
    const configuration = { connection: server.connection() };
    await rig.managed.application.resources.put({ id: 'cluster', service: 'postgresql-physical', configuration });
    await rig.backUp('cluster');
  });
  after(async () => {
    await rig.remove();
    await server.remove();
  });
  afterEach(async () => {
    meanwhile = undefined;
    assert.deepEqual(await rig.leftovers(), []);
    assert.deepEqual(processesIn(rig.folder), []);
  });

  test('compare all files with the manifest, recover, and check tables, indexes and assertions', async () => {
    const { drill } = await rig.drill('cluster', {
      assertions: [
        { sql: 'SELECT count(*) FROM orders', equals: 20000, database: 'shop' },
        { sql: 'SELECT pg_is_in_recovery()', equals: false, database: 'shop' },
        { sql: "SELECT current_setting('archive_mode')", equals: 'off', database: 'postgres' },
      ],
    });
    assert.equal(drill.error?.message, undefined);
    assert.deepEqual(outcomes(drill).slice(0, 4), [
      'restored passed',
      'backup-manifest passed',
      'starts passed',
      'amcheck passed',
    ]);
    assert.match(check(drill, 'page-checksums')?.found ?? '', /bad checksums|no page checksums/);
    assert.ok((drill.recoveryTimeMilliseconds ?? 0) > 0);
  });

  test('fail because of a page with another byte, and name the file', async () => {
    meanwhile = async (folder) => {
      const file = path.join(folder, relation);
      const bytes = await readFile(file);
      bytes[8192 * 3 + 4000] = bytes[8192 * 3 + 4000]! ^ 1;
      await writeFile(file, bytes);
    };
    const { drill } = await rig.drill('cluster');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.match(check(drill, 'backup-manifest')?.found ?? '', new RegExp(`checksum mismatch.*${relation}`));
  });

  test('fail because of a missing file, and name it', async () => {
    meanwhile = (folder) => rm(path.join(folder, relation));
    const { drill } = await rig.drill('cluster');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.match(check(drill, 'backup-manifest')?.found ?? '', new RegExp(relation));
  });

  test('fail because of WAL that is missing, and say that the server does not start', async () => {
    meanwhile = (folder) => rm(path.join(folder, 'pg_wal'), { recursive: true });
    const { drill } = await rig.drill('cluster');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.equal(check(drill, 'starts')?.outcome, 'failed');
    assert.match(drill.error?.message ?? '', /pg_wal/);
  });

  test('read the WAL that is kept from the backup on, and fail where some of it is missing or damaged', async () => {
    const log = rig.managed.application.logs.of('cluster');
    const wal = path.join(server.folder, 'data', 'pg_wal');
    const segment = () => server.sql('shop', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
    const names: string[] = [];
    const push = (name = '') => walFiles.push(log, path.join(wal, name), { parallel: 0 });
    // One before the backup's end, and three after it.
    names.push(await server.sql('shop', `SELECT pg_walfile_name(lsn) FROM (SELECT pg_switch_wal() AS lsn) s`));
    await rig.backUp('cluster');
    for (let count = 0; count < 4; count++) {
      names.push(await segment());
      await server.sql('shop', 'CREATE TABLE IF NOT EXISTS more (a int); INSERT INTO more VALUES (1)');
      await server.sql('shop', 'SELECT pg_switch_wal()');
    }
    for (const name of [names[0], names[1], names[2], names[4]]) await push(name);
    const gap = (await rig.drill('cluster')).drill;
    assert.equal(gap.outcome, 'failed');
    assert.match(check(gap, 'log')?.found ?? '', new RegExp(`${names[3]} lies there`));
    await push(names[3]);
    const whole = (await rig.drill('cluster')).drill;
    assert.equal(whole.outcome, 'passed', JSON.stringify(whole.error));
    assert.match(check(whole, 'log')?.found ?? '', /^[45] segments, /);
    const piece = (await log.pieces()).find(({ facts }) => facts.segment === names[2])!;
    await flip(path.join(rig.folder, 'repository'), `snapshots/${piece.id}`, -5);
    const hurt = (await rig.drill('cluster')).drill;
    assert.deepEqual([hurt.outcome, hurt.fault], ['failed', 'backup']);
    assert.match(hurt.error?.message ?? '', new RegExp(piece.id));
  });

  test('fail because of a damaged pack', async () => {
    await rig.damagePacks();
    const { drill } = await rig.drill('cluster');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.equal(check(drill, 'restored')?.outcome, 'failed');
  });
});

/** A service whose drills are disturbed right before they compare the restored files. */
function disturbed(service: Service, disturb: (dataFolder: string) => Promise<void>): Service {
  return {
    ...service,
    drill: (context: DrillContext) => {
      const { checks, folder } = context;
      const make: typeof checks.make = (question, look) =>
        checks.make(question, async () => {
          if (question.name === 'backup-manifest') await disturb(path.join(folder, 'pg', 'data'));
          return look();
        });
      return service.drill!({ ...context, checks: { make, add: (each) => checks.add(each) } });
    },
  };
}
