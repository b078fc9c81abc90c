import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Operation } from '../src/core/operation.ts';
import type { RestorePlan } from '../src/core/restore-plan.ts';
import { completed, failed, NOTHING, PostgresqlRig } from './postgresql-rig.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';

describe('a restore of PostgreSQL into another resource', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PostgresqlRig;
  let second: PostgresqlServer;

  before(async () => {
    rig = await PostgresqlRig.create();
    second = await PostgresqlServer.start();
    await rig.server.sql('postgres', 'CREATE DATABASE shop');
    await rig.server.sql('postgres', 'CREATE DATABASE wiki');
    await rig.server.sql('shop', 'CREATE TABLE a AS SELECT 7 AS n; CREATE TABLE b AS SELECT 8 AS n');
    const { resources } = rig.managed.application;
    const into = (id: string, databases: string[] | 'all') =>
      resources.put({ id, service: 'postgresql', configuration: { connection: second.connection(), databases } });
    await into('staging', ['staging']);
    await into('whole', 'all');
    await into('two', ['one', 'other']);
  });
  after(async () => {
    await second.remove();
    await rig.remove();
  });

  async function restore(
    backupId: string,
    targetResourceId: string,
    options: Record<string, unknown> = {},
  ): Promise<Operation> {
    const { restores } = rig.managed.application;
    const { operation } = await restores.restore({ backupId, targetResourceId, createdBy: 'test', options });
    return rig.ended(operation);
  }

  const planOf = (operation: Operation) => completed(operation).result?.plan as RestorePlan;

  test('goes to its server and its one database, by a plan first, and replaces nothing unasked', async () => {
    const backup = await rig.backUp({ databases: ['shop'] });
    const plan = planOf(await restore(backup.id, 'staging', { dryRun: true }));
    assert.deepEqual(plan.created.names, [
      'database "staging"',
      'table public.a in "staging"',
      'table public.b in "staging"',
    ]);
    assert.ok(plan.bytes > 0 && (plan.estimatedSeconds ?? 0) >= 1);
    assert.equal(await second.sql('postgres', `SELECT count(*) FROM pg_database WHERE datname = 'staging'`), '0');
    completed(await restore(backup.id, 'staging'));
    assert.equal(await second.sql('staging', 'SELECT n FROM a'), '7');
    failed(await restore(backup.id, 'staging'), 'postgresql-target-exists', /staging/);

    await second.sql('staging', 'CREATE TABLE extra (n int); DROP TABLE b');
    const dropping = planOf(await restore(backup.id, 'staging', { dryRun: true, onExisting: 'drop' }));
    assert.deepEqual(dropping.replaced.names, ['database "staging"', 'table public.a in "staging"']);
    assert.deepEqual(dropping.created.names, ['table public.b in "staging"']);
    assert.deepEqual(dropping.dropped.names, ['table public.extra in "staging"']);
    const cleaning = planOf(await restore(backup.id, 'staging', { dryRun: true, onExisting: 'clean' }));
    assert.deepEqual([cleaning.replaced.count, cleaning.created.count, cleaning.dropped.count], [1, 1, 0]);
    const one = planOf(await restore(backup.id, 'staging', { dryRun: true, tables: ['public.b'] }));
    assert.deepEqual(
      [one.created.names, one.skipped.names],
      [['table public.b in "staging"'], ['table public.a in "staging"']],
    );
    completed(await restore(backup.id, 'staging', { onExisting: 'drop' }));
    assert.equal(await second.sql('staging', 'SELECT n FROM b'), '8');
    assert.equal(await rig.server.sql('postgres', `SELECT count(*) FROM pg_database WHERE datname = 'staging'`), '0');
  });

  test('is refused, dry as well, where it would have to make a database that its role may not make', async () => {
    const backup = await rig.backUp({ databases: ['shop'] });
    await second.sql('postgres', `CREATE ROLE modest LOGIN PASSWORD '${second.password}'`);
    const { resources } = rig.managed.application;
    const connection = { ...second.connection(), user: 'modest' };
    await resources.put({ id: 'modest', service: 'postgresql', configuration: { connection, databases: ['modest'] } });
    for (const options of [{ dryRun: true }, {}])
      failed(await restore(backup.id, 'modest', options), 'postgresql-create-denied', /ALTER ROLE "?modest"? CREATEDB/);
    await second.sql('postgres', 'CREATE DATABASE modest OWNER modest');
    assert.deepEqual(planOf(await restore(backup.id, 'modest', { dryRun: true })).created.count, 2);
    completed(await restore(backup.id, 'modest', { owners: false }));
  });

  test('keeps the names where all databases are its own, and refuses where it is not clear which goes where', async () => {
    const backup = await rig.backUp({ databases: ['shop', 'wiki'] });
    const plan = planOf(await restore(backup.id, 'whole', { dryRun: true, databases: ['wiki'] }));
    assert.deepEqual([plan.created.names, plan.skipped.names], [['database "wiki"'], ['database "shop"']]);
    completed(await restore(backup.id, 'whole'));
    assert.equal(await second.sql('shop', 'SELECT n FROM a'), '7');
    failed(
      await restore(backup.id, 'two'),
      'restore-target-databases-differ',
      /has "one", "other"|It has "one", "other"/,
    );
    failed(
      await restore(backup.id, 'two', { databases: ['shop'] }),
      'restore-target-databases-differ',
      /targetDatabase/,
    );
    completed(await restore(backup.id, 'two', { databases: ['shop'], targetDatabase: 'other' }));
    const both = await restore(backup.id, 'staging', { connection: second.connection(), databases: ['shop'] });
    failed(both, 'options-invalid', /leave `connection` away/);
    assert.deepEqual(await rig.leftovers(), NOTHING);
  });
});
