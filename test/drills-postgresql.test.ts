import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { SnapshotReader } from '../src/core/ports/repository.ts';
import type { Service } from '../src/core/ports/service.ts';
import type { DrillContext } from '../src/core/ports/service-drill.ts';
import type { TreeEntry } from '../src/core/tree-entry.ts';
import { createPostgresqlService } from '../src/services/postgresql/postgresql-service.ts';
import { check, DrillRig, outcomes } from './drill-rig.ts';
import { eventually } from './eventually.ts';
import { gather } from './managed-application.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { processesIn } from './processes.ts';

describe('restore drills of PostgreSQL databases', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let server: PostgresqlServer;
  let rig: DrillRig;
  /** Changes files of the backup's tree before they are read; called in the order of reading. */
  let falsify: ((file: string, bytes: Buffer) => Buffer) | undefined;
  const put = (id: string, configuration: Record<string, unknown>) => {
    const whole = { connection: server.connection(), ...configuration };
    return rig.managed.application.resources.put({ id, service: 'postgresql', configuration: whole });
  };

  before(async () => {
    server = await PostgresqlServer.start();
    const service = createPostgresqlService((reference) => resolveSecret(reference, process.env));
    rig = await DrillRig.create([falsified(service, (file, bytes) => falsify?.(file, bytes) ?? bytes)]);
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
    assert.match(check(drill, 'row-counts')?.found ?? '', /^\d+ tables, \d{4} rows, the same in each$/);
    assert.ok((drill.restoredBytes ?? 0) > 5_000_000);
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
    assert.equal(found[0]?.found, '500');
  });

  test('fail where other rows come back than were counted at the backup, and name the table', async () => {
    falsify = inContents((contents) => contents.replace(/"rows":\s*500/, '"rows":501'));
    const { drill } = await rig.drill('shop');
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
    assert.equal(check(drill, 'row-counts')?.outcome, 'failed');
    assert.match(drill.error?.message ?? '', /sales\.customers \(501 backed up, 500 restored\)/);
  });

  test('fail because of a dump with another byte, and name it', async () => {
    falsify = (file, bytes) => (file === DUMP ? flipped(bytes, bytes.length - 3000) : bytes);
    const { drill } = await rig.drill('shop');
    assert.deepEqual([drill.outcome, drill.fault, drill.error?.code], ['failed', 'backup', 'checksum-differs']);
    assert.match(drill.error?.message ?? '', /databases\/shop\.dump/);
  });

  test('fail because of a dump that was cut off when it was backed up', async () => {
    const whole = await fileOf(rig, DUMP);
    const broken = whole.subarray(0, -3000);
    const sha256 = createHash('sha256').update(broken).digest('hex');
    const contents = inContents((text) =>
      text
        .replace(/"sha256":\s*"[0-9a-f]{64}"/, `"sha256":"${sha256}"`)
        .replace(new RegExp(`"bytes":\\s*${whole.length}\\b`), `"bytes":${broken.length}`),
    );
    falsify = (file, bytes) => (file === DUMP ? broken : contents(file, bytes));
    const { drill } = await rig.drill('shop');
    assert.deepEqual(
      [drill.outcome, drill.fault, drill.error?.code],
      ['failed', 'backup', 'postgresql-restore-failed'],
    );
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
    await eventually(() => processesIn(rig.folder).length > 0, 'no private server was started');
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

const DUMP = 'databases/shop.dump';

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = copy[at]! ^ 0x10;
  return copy;
}

function inContents(change: (contents: string) => string): (file: string, bytes: Buffer) => Buffer {
  return (file, bytes) => (file === 'contents.json' ? Buffer.from(change(bytes.toString())) : bytes);
}

/** A file of the newest backup's tree. */
async function fileOf({ managed }: DrillRig, name: string): Promise<Buffer> {
  const { items } = await managed.application.backups.list({ resourceId: 'shop' }, { limit: 1 });
  const reader = await managed.repository.openSnapshot(items[0]!.id);
  try {
    for await (const entry of reader.entries())
      if (entry.path === name) return await gather(reader.read(entry.content));
    throw new Error(`${name} is not there`);
  } finally {
    await reader.close();
  }
}

/** A service whose drills read other files than were stored. */
function falsified(service: Service, change: (file: string, bytes: Buffer) => Buffer): Service {
  const watch = (reader: SnapshotReader): SnapshotReader => {
    const files = new Map<TreeEntry['content'], string>();
    const { record, concurrency } = reader;
    return {
      ...{ record, concurrency },
      async *read(content, ...rest) {
        const file = files.get(content);
        if (file === undefined) yield* reader.read(content, ...rest);
        else yield change(file, await gather(reader.read(content)));
      },
      async *entries(options) {
        for await (const entry of reader.entries(options)) {
          if (entry.content !== undefined) files.set(entry.content, entry.path);
          yield entry;
        }
      },
      pages: () => reader.pages(),
      segments: (...given) => reader.segments(...given),
      plan: (wanted) => reader.plan(wanted),
      tasks: (module) => reader.tasks(module),
      close: () => reader.close(),
    };
  };
  return {
    ...service,
    drill: (context: DrillContext) => {
      const chain = context.chain.map(({ backup, reader }) => ({ backup, reader: watch(reader) }));
      return service.drill!({ ...context, chain });
    },
  };
}
