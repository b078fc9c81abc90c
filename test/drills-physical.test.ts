import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { ResourceLog } from '../src/core/ports/resource-log.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { DrillContext } from '../src/core/ports/service-drill.ts';
import { createPostgresqlPhysicalService } from '../src/services/postgresql-physical/postgresql-physical-service.ts';
import { walFiles } from '../src/services/postgresql-physical/wal-files.ts';
import { readSegmentHeader } from '../src/services/postgresql-physical/wal-page.ts';
import { newSegmentPiece } from '../src/services/postgresql-physical/wal-pieces.ts';
import { formatLsn, parseLsn, segmentStart } from '../src/services/postgresql-physical/wal-position.ts';
import { WalRecords } from '../src/services/postgresql-physical/wal-records.ts';
import { check, DrillRig, outcomes } from './drill-rig.ts';
import { flip } from './flipped-bytes.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { processesIn } from './processes.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** By their numbers, as pg_waldump calls them. */
const MANAGERS =
  'XLOG Transaction Storage CLOG Database Tablespace MultiXact RelMap Standby Heap2 Heap Btree Hash Gin Gist Sequence SPGist'.split(
    ' ',
  );

describe('restore drills of PostgreSQL clusters', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let server: PostgresqlServer;
  let rig: DrillRig;
  /** Called with the restored data folder before its files are compared. */
  let meanwhile: ((dataFolder: string) => Promise<void>) | undefined;
  let relation: string;
  before(async () => {
    server = await PostgresqlServer.start(['max_prepared_transactions = 3']);
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

  test('need no configuration, which a recovered catalogue has not', async () => {
    const { resources } = rig.managed.catalogue;
    const resource = await resources.get('cluster');
    assert.ok(resource !== undefined);
    await resources.put({ ...resource, configuration: {} });
    try {
      const { drill } = await rig.drill('cluster');
      assert.equal(drill.error?.message, undefined);
      const { expected = '', found = '' } = check(drill, 'restored') ?? {};
      assert.ok(found.startsWith(`${expected}, `), `${expected} were expected, and ${found} found`);
    } finally {
      await resources.put(resource);
    }
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

  describe('of a cluster whose WAL is kept', () => {
    const count = (rows: number) => ({ sql: 'SELECT count(*) FROM more', equals: rows, database: 'shop' });
    let log: ResourceLog;
    let wal: string;
    const names: string[] = [];
    const push = (name = '', folder = wal) => walFiles.push(log, path.join(folder, name), { parallel: 0 });
    /** Commits in a segment, which is not pushed. */
    const commit = async (statements: string): Promise<string> => {
      await server.sql('shop', statements);
      return server.sql('shop', 'SELECT pg_walfile_name(lsn - 1) FROM (SELECT pg_switch_wal() AS lsn) s');
    };
    before(async () => {
      log = rig.managed.application.logs.of('cluster');
      wal = path.join(server.folder, 'data', 'pg_wal');
      // Those of the backup itself, and four after it.
      const first = await commit('CREATE TABLE more (a int)');
      await rig.backUp('cluster');
      const last = await commit('INSERT INTO more VALUES (1)');
      const ofBackup = `SELECT name FROM pg_ls_waldir() WHERE name BETWEEN '${first}' AND '${last}' ORDER BY name`;
      names.push(...(await server.sql('shop', ofBackup)).split('\n'));
      names.push(await commit(`BEGIN; INSERT INTO more VALUES (2); PREPARE TRANSACTION 'open'`));
      names.push(await commit('INSERT INTO more VALUES (3)'));
      names.push(await commit('INSERT INTO more VALUES (4)'));
    });

    test('fail where a segment is missing, and name it', async () => {
      for (const name of names) if (name !== names.at(-2)) await push(name);
      const { drill } = await rig.drill('cluster');
      assert.deepEqual([drill.outcome, drill.fault, drill.error?.code], ['failed', 'backup', 'wal-gap']);
      assert.match(check(drill, 'starts')?.found ?? '', new RegExp(`${names.at(-2)} lies there`));
    });

    test('replay it to its last whole record, and look at what came of that', async () => {
      await push(names.at(-2));
      // As a stream leaves it that is cut off: within the record that commits the fourth row.
      const [name, end] = (
        await server.sql(
          'shop',
          'INSERT INTO more VALUES (0); SELECT pg_walfile_name(l), l FROM pg_current_wal_flush_lsn() l',
        )
      ).split('|') as [string, string];
      const bytes = await readFile(path.join(wal, name));
      const about = {
        timeline: 1,
        systemIdentifier: readSegmentHeader(bytes)!.systemIdentifier,
        segmentBytes: SEGMENT_BYTES,
      };
      const range = { start: segmentStart(name, SEGMENT_BYTES).start, end: parseLsn(end) - 12n };
      const content = bytes.subarray(0, Number(range.end - range.start));
      await log.append(newSegmentPiece({ ...about, ...range, level: 0, isPartial: true }, [content]));
      const { drill } = await rig.drill('cluster', { assertions: [count(3)] });
      assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
      const { log: reached, createdAt, ageMilliseconds } = drill.recoveryPoint;
      assert.match(
        check(drill, 'replayed')?.found ?? '',
        new RegExp(`^up to ${reached?.position}, the last transaction of`),
      );
      assert.equal(await server.sql('shop', `SELECT pg_walfile_name('${reached?.position}'::pg_lsn - 1)`), name);
      assert.ok((reached?.at ?? '') > createdAt);
      assert.ok(ageMilliseconds <= Date.parse(drill.createdAt) - Date.parse(reached?.at ?? ''));
      assert.match(check(drill, 'log')?.found ?? '', /^[4-6] segments, /);
    });

    test('leave nothing where they are cancelled while they replay it', async () => {
      const { drills, operations } = rig.managed.application;
      const { id } = await drills.start({ resourceId: 'cluster', createdBy: 'test' });
      while ((await operations.get(id)).progress?.phase !== 'replaying the log') {
        const { status, error } = await operations.get(id);
        assert.equal(error?.message, undefined);
        assert.notEqual(status, 'completed', 'the log was replayed before anybody could cancel it');
        await sleep(5);
      }
      await operations.cancel(id);
      assert.equal((await rig.ended({ id })).status, 'cancelled');
    });

    test('find in it the records that PostgreSQL finds', async () => {
      const found: string[] = [];
      const records = new WalRecords(({ start, manager }) => found.push(`${formatLsn(start)} ${manager}`));
      for (const name of names) {
        records.beginSegment(segmentStart(name, SEGMENT_BYTES).start, SEGMENT_BYTES);
        for (const bytes of chunked(await readFile(path.join(wal, name)))) records.push(bytes);
      }
      const dump = execFileSync(path.join(server.programs, 'pg_waldump'), ['-p', wal, names[0]!, names.at(-1)!]);
      const lines = dump.toString().matchAll(/^rmgr: (\S+) .*lsn: ([0-9A-F]+)\/([0-9A-F]+),/gm);
      const expected = [...lines].map(
        ([, manager, high, low]) =>
          `${high}/${Number.parseInt(low!, 16).toString(16).toUpperCase()} ${MANAGERS.indexOf(manager!)}`,
      );
      assert.ok(expected.length > 50);
      assert.deepEqual(
        found.filter((line) => !line.endsWith(' -1')),
        expected,
      );
    });

    test('fail where a record in it is not what was written, although the log holds it as it came', async () => {
      const name = await commit('INSERT INTO more VALUES (5)');
      const bytes = await readFile(path.join(wal, name));
      // In the checksum of the first record.
      bytes[60] = bytes[60]! ^ 1;
      await writeFile(path.join(rig.folder, name), bytes);
      await push(name, rig.folder);
      const { drill } = await rig.drill('cluster');
      assert.deepEqual([drill.outcome, drill.fault, drill.error?.code], ['failed', 'backup', 'drill-replayed-failed']);
      const pieces = (await log.pieces()).filter(({ facts }) => facts.segment === name);
      await log.remove(pieces);
      await push(name);
    });

    test('stay away from the folder of a tablespace that was made since, and say so', async () => {
      const folder = path.join(server.folder, 'fast');
      await mkdir(folder);
      execFileSync('chown', ['--reference', server.folder, folder]);
      const names = [
        await commit(`CREATE TABLESPACE fast LOCATION '${folder}'`),
        await commit(
          'CREATE TABLE quick TABLESPACE fast AS SELECT g FROM generate_series(1, 1000) g; INSERT INTO more VALUES (6)',
        ),
      ];
      const listed = () => readdirSync(folder, { recursive: true }).sort();
      for (const name of names) await push(name);
      const files = listed();
      const { drill } = await rig.drill('cluster', { assertions: [count(5)] });
      assert.equal(drill.outcome, 'passed', JSON.stringify([drill.error, drill.checks]));
      assert.match(drill.warnings.join(), new RegExp(`the tablespace ${folder} was made`));
      assert.deepEqual(listed(), files);
      assert.equal(await server.sql('shop', 'SELECT count(*) FROM quick'), '1000');
    });

    test('fail where a piece of it is damaged, and name it', async () => {
      const piece = (await log.pieces()).find(({ facts }) => facts.segment === names.at(-2))!;
      await flip(path.join(rig.folder, 'repository'), `snapshots/${piece.id}`, -5);
      const { drill } = await rig.drill('cluster');
      assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
      assert.match(drill.error?.message ?? '', new RegExp(piece.id));
    });
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

/** In pieces of all lengths. */
function* chunked(bytes: Buffer): Generator<Buffer> {
  for (let at = 0, length = 7; at < bytes.length; at += length, length = ((length * 31) % 100_003) + 1)
    yield bytes.subarray(at, at + length);
}
