import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { DrillContext } from '../src/core/ports/service-drill.ts';
import type { TreeEntry } from '../src/core/tree-entry.ts';
import { createPostgresqlService } from '../src/services/postgresql/postgresql-service.ts';
import { check, DrillRig, outcomes } from './drill-rig.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { processesIn } from './processes.ts';

describe('restore drills of PostgreSQL databases', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let server: PostgresqlServer;
  let rig: DrillRig;
  /** Changes what `contents.json` says before it is read. */
  let falsify: ((contents: string) => string) | undefined;
  const put = (id: string, configuration: Record<string, unknown>) => {
    const whole = { connection: server.connection(), ...configuration };
    return rig.managed.application.resources.put({ id, service: 'postgresql', configuration: whole });
  };

  before(async () => {
    server = await PostgresqlServer.start();
    const service = createPostgresqlService((reference) => resolveSecret(reference, process.env));
    rig = await DrillRig.create([falsified(service, (contents) => falsify?.(contents) ?? contents)]);
    await server.sql('postgres', `${SAMPLE_ROLES} CREATE DATABASE shop OWNER shop_owner; CREATE DATABASE empty;`);
    await server.sql('shop', SAMPLE);
    await server.sql('postgres', 'REVOKE CONNECT ON DATABASE shop FROM PUBLIC; CREATE TABLE noted (n int);');
    await put('shop', { databases: ['shop'] });
    await rig.backUp('shop');
  });
  after(async () => {
    await rig.remove();
    await server.remove();
  });
  afterEach(async () => {
    falsify = undefined;
    assert.deepEqual(await rig.leftovers(), []);
    assert.deepEqual(processesIn(rig.folder), []);
  });

  test('restore into a private server and check rows, pages, indexes and assertions', async () => {
    const { drill } = await rig.drill('shop', {
      assertions: [
        { sql: 'SELECT count(*) FROM sales.customers', equals: 500 },
        { sql: "SELECT max(at) >= '2026-01-01' FROM sales.orders", equals: true },
        { sql: 'SELECT count(*) FROM sales.secrets', equals: 2, name: 'Row-level security hides nothing' },
        { sql: 'SELECT sum(total) FROM sales.orders', atLeast: 2_001_000, atMost: 2_001_000, database: 'shop' },
        { sql: "SELECT document FROM sales.orders WHERE document->>'n' = '7'", equals: { n: 7 } },
      ],
    });
    assert.equal(drill.error?.message, undefined);
    assert.equal(check(drill, 'amcheck')?.found, 'nothing found');
    assert.deepEqual(outcomes(drill).slice(0, 3), ['restored passed', 'row-counts passed', 'amcheck passed']);
    assert.equal(outcomes(drill).at(-1), 'page-checksums passed');
    assert.match(check(drill, 'row-counts')?.expected ?? '', /^\d+ tables, \d{4} rows, \d+ large objects$/);
    assert.match(check(drill, 'page-checksums')?.found ?? '', /^0 bad checksums in \d+ pages$/);
    assert.match(drill.environment.postgresql ?? '', /^\d+\.\d+/);
    assert.equal(await server.sql('postgres', `SELECT count(*) FROM pg_database WHERE datname ~ 'holdfast'`), '0');
  });

  test('restore a whole cluster with its globals, and databases named as the server’s own', async () => {
    await put('cluster', { databases: 'all', globals: true });
    await rig.backUp('cluster');
    const { drill } = await rig.drill('cluster', {
      assertions: [
        { sql: "SELECT pg_has_role('shop_owner', 'shop_reader', 'member')", equals: true, database: 'shop' },
      ],
    });
    assert.equal(drill.error?.message, undefined);
    assert.equal(check(drill, 'restored')?.expected, 'empty, postgres, shop');
  });

  test('fail because of assertions that do not hold, and let none of them write or reach out', async () => {
    const { drill } = await rig.drill('shop', {
      assertions: [
        { sql: 'SELECT count(*) FROM sales.customers', equals: 501 },
        { sql: 'SELECT 1; COMMIT; DROP SCHEMA sales CASCADE', equals: 1 },
        { sql: 'DELETE FROM sales.orders RETURNING 1', equals: 1 },
        { sql: "COPY (SELECT 1) TO PROGRAM 'true'", equals: 1 },
        { sql: "SELECT pg_read_file('postgresql.auto.conf')", equals: '' },
        { sql: 'SELECT pg_sleep(600)', equals: '', timeoutSeconds: 1 },
        { sql: 'SELECT id FROM sales.customers', equals: 1 },
        { sql: 'SELECT 1', equals: 1, database: 'other' },
        { sql: 'SELECT count(*) FROM sales.customers', equals: 500 },
      ],
    });
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'assertion']);
    const found = drill.checks.filter(({ kind }) => kind === 'assertion');
    assert.deepEqual(
      found.map(({ outcome }) => outcome),
      [...Array(8).fill('failed'), 'passed'],
    );
    assert.match(found[5]?.found ?? '', /no answer within 1 seconds/);
    assert.equal(found[0]?.found, '"500"');
  });

  test('fail where other rows come back than were counted at the backup, and name the table', async () => {
    falsify = (contents) => contents.replace(/"rows":\s*500/, '"rows":501');
    const { drill } = await rig.drill('shop');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.equal(check(drill, 'row-counts')?.outcome, 'failed');
    assert.match(drill.error?.message ?? '', /sales\.customers \(501 backed up, 500 restored\)/);
  });

  test('fail because of a database in which nothing can be compared', async () => {
    await put('empty', { databases: ['empty'] });
    await rig.backUp('empty');
    const { drill } = await rig.drill('empty');
    assert.deepEqual([drill.outcome, drill.error?.code], ['failed', 'drill-checked-nothing']);
  });

  test('leave neither server nor folder when they are cancelled', async () => {
    const { drills, operations } = rig.managed.application;
    const assertions = [{ sql: 'SELECT pg_sleep(600)', equals: '', timeoutSeconds: 600 }];
    const started = await drills.start({ resourceId: 'shop', assertions, createdBy: 'test' });
    while (processesIn(rig.folder).length === 0) await sleep(20);
    await operations.cancel(started.id);
    assert.equal((await rig.ended(started)).status, 'cancelled');
  });

  test('fail because of a damaged pack', async () => {
    await rig.damagePacks();
    const { drill } = await rig.drill('shop');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.match(drill.error?.message ?? '', /pack|chunk|contents/);
  });
});

/** A service whose drills read another `contents.json` than was stored. */
function falsified(service: Service, change: (contents: string) => string): Service {
  return {
    ...service,
    drill: (context: DrillContext) => {
      const chain = context.chain.map(({ backup, reader }) => {
        let target: TreeEntry['content'];
        const read: typeof reader.read = async function* (content, ...rest) {
          const pieces: Uint8Array[] = [];
          if (content === undefined || content !== target) return yield* reader.read(content, ...rest);
          for await (const piece of reader.read(content)) pieces.push(Uint8Array.from(piece));
          yield Buffer.from(change(Buffer.concat(pieces).toString()));
        };
        async function* entries(...given: Parameters<typeof reader.entries>) {
          for await (const entry of reader.entries(...given)) {
            if (entry.path === 'contents.json') target = entry.content;
            yield entry;
          }
        }
        const { record, concurrency } = reader;
        return {
          backup,
          reader: {
            ...{ record, concurrency, read, entries },
            pages: () => reader.pages(),
            segments: (...given: Parameters<typeof reader.segments>) => reader.segments(...given),
            plan: (...given: Parameters<typeof reader.plan>) => reader.plan(...given),
            tasks: reader.tasks.bind(reader),
            close: () => reader.close(),
          },
        };
      });
      return service.drill!({ ...context, chain });
    },
  };
}
