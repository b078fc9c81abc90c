import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { Backup } from '../src/core/backup.ts';
import { Connection } from '../src/services/postgresql/connection.ts';
import { connectionSchema } from '../src/services/postgresql/connection-schema.ts';
import { createPostgresqlService } from '../src/services/postgresql/postgresql-service.ts';
import { compareRows } from '../src/services/postgresql/row-comparison.ts';
import { Session } from '../src/services/postgresql/session.ts';
import { StoredBackup } from '../src/services/postgresql/stored-backup.ts';
import { check, DrillRig } from './drill-rig.ts';
import { completed } from './postgresql-rig.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';

/** So many kinds that chance does not put the rows of all of them where they were. */
const KINDS = Array.from({ length: 24 }, (_, index) => `'kind ${index}'`);
const PARTITIONS = ['events_0', 'events_1', 'events_2'];

const EVENTS = `
CREATE TYPE kind AS ENUM (${KINDS.join(', ')});
CREATE TABLE events (id int, kind kind, filler text) PARTITION BY HASH (kind);
${PARTITIONS.map((name, index) => `CREATE TABLE ${name} PARTITION OF events FOR VALUES WITH (modulus 3, remainder ${index});`).join('\n')}
INSERT INTO events SELECT g, ('kind ' || g % ${KINDS.length})::kind, repeat('x', 100) FROM generate_series(1, 24000) g;
CREATE TABLE years (at date, kind kind) PARTITION BY RANGE (at);
CREATE TABLE years_2025 PARTITION OF years FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (kind);
CREATE TABLE years_2025_0 PARTITION OF years_2025 FOR VALUES WITH (modulus 2, remainder 0);
CREATE TABLE years_2025_1 PARTITION OF years_2025 FOR VALUES WITH (modulus 2, remainder 1);
CREATE TABLE years_rest PARTITION OF years DEFAULT;
INSERT INTO years SELECT date '2025-01-01' + g, ('kind ' || g % ${KINDS.length})::kind FROM generate_series(1, 500) g;
CREATE TABLE others (id int) PARTITION BY HASH (id);
CREATE TABLE others_0 PARTITION OF others FOR VALUES WITH (modulus 2, remainder 0);
CREATE TABLE others_1 PARTITION OF others FOR VALUES WITH (modulus 2, remainder 1);
INSERT INTO others SELECT generate_series(1, 100);
`;

describe('tables that are partitioned by a hash of an enumeration', { skip: SKIP_REASON, timeout: 600_000 }, () => {
  let server: PostgresqlServer;
  let rig: DrillRig;
  let backup: Backup;

  before(async () => {
    server = await PostgresqlServer.start();
    rig = await DrillRig.create([createPostgresqlService((reference) => resolveSecret(reference, process.env))]);
    await server.sql('postgres', 'CREATE DATABASE shop');
    await server.sql('shop', EVENTS);
    const configuration = { connection: server.connection(), databases: ['shop'] };
    await rig.managed.application.resources.put({ id: 'shop', service: 'postgresql', configuration });
    backup = await rig.backUp('shop');
  });
  after(async () => {
    await rig.remove();
    await server.remove();
  });

  const restore = async (options: Record<string, unknown>) => {
    const { restores } = rig.managed.application;
    const { operation } = await restores.restore({ backupId: backup.id, createdBy: 'test', options });
    return completed(await rig.ended(operation));
  };
  const countsIn = (database: string) =>
    server.sql(database, PARTITIONS.map((name) => `SELECT count(*) FROM ${name}`).join(' UNION ALL '));
  const rowsIn = (database: string) => server.sql(database, 'SELECT count(*), sum(hashtext(e::text)) FROM events e');

  test('come back with all their rows, of which others are in each partition', async () => {
    const operation = await restore({ targetDatabase: 'again' });
    assert.equal(await rowsIn('again'), await rowsIn('shop'));
    assert.notEqual(await countsIn('again'), await countsIn('shop'));
    const [report] = operation.result!.databases as { rows: number }[];
    assert.equal(report?.rows, 24_000 + 500 + 100);
    await restore({ targetDatabase: 'jobs', jobs: 2 });
    await restore({ targetDatabase: 'chosen', tables: ['public.others'] });
  });

  test('pass a drill, which compares their rows as those of the whole table', async () => {
    const { drill } = await rig.drill('shop');
    assert.equal(drill.error?.message, undefined);
    assert.match(check(drill, 'row-counts')?.found ?? '', /24600 rows, the same in each/);
  });

  test('are told of by the name of the whole table where a row is missing, and of all others by their own', async () => {
    await restore({ targetDatabase: 'short' });
    await server.sql('short', 'DELETE FROM events WHERE id = 7; DELETE FROM years WHERE at = $$2025-01-08$$');
    await server.sql('short', 'DELETE FROM others WHERE id = 1; DROP TABLE years_rest');
    const reader = await rig.managed.repository.openSnapshot(backup.id);
    const connection = await Connection.open(connectionSchema.parse(server.connection()), (reference) =>
      resolveSecret(reference, process.env),
    );
    const session = await Session.open(connection, 'short');
    try {
      const { contents } = await StoredBackup.open([{ backup, reader }]);
      const { tables } = contents.databases[0]!;
      const left = tables.find(({ name }) => name === 'years_rest')?.rows;
      const hit = await server.sql('shop', 'SELECT tableoid::regclass FROM others WHERE id = 1');
      const rows = tables.find(({ name }) => name === hit)?.rows ?? 0;
      await assert.rejects(compareRows(session, tables, undefined, new AbortController().signal), {
        code: 'postgresql-rows-differ',
        details: {
          tables: [
            'public.events and its partitions (24000 backed up, 23999 restored)',
            `public.${hit} (${rows} backed up, ${rows - 1} restored)`,
            'public.years_2025 and its partitions (364 backed up, 363 restored)',
            `public.years_rest (${left} backed up, no table restored)`,
          ],
        },
      });
    } finally {
      await session.close();
      await reader.close();
    }
  });
});
