import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { type CompiledQuery, Kysely, SqliteDialect } from 'kysely';
import type { Backup } from '../../core/backup.ts';
import type { Operation } from '../../core/operation.ts';
import type { Catalogue } from '../../core/ports/catalogue.ts';
import type { CatalogueSchema } from '../schema.ts';
import { createBackupTable } from '../tables/backup-table.ts';
import { createExclusively } from './exclusively.ts';
import { NodeSqliteDatabase } from './node-sqlite-database.ts';
import { openSqliteCatalogue } from './sqlite-catalogue.ts';

function backup(id: string, change: Partial<Backup> = {}): Backup {
  return {
    id,
    resourceId: 'shop',
    resourceType: 'postgresql',
    service: 'document',
    type: 'full',
    status: 'completed',
    contentKind: 'document',
    size: 100,
    compressedSize: 50,
    encrypted: true,
    checksum: 'sha256:00',
    chainLength: 0,
    metadata: { tags: {} },
    warnings: [],
    warningCount: 0,
    statistics: { sourceBytes: 100, readBytes: 100, newBytes: 100, storedBytes: 60, durationMilliseconds: 1 },
    repositoryId: 'default',
    createdAt: '2026-01-01T00:00:00.000Z',
    completedAt: '2026-01-01T00:00:01.000Z',
    held: false,
    ...change,
  };
}

function operation(id: string, change: Partial<Operation> = {}): Operation {
  return {
    id,
    kind: 'backup',
    status: 'queued',
    input: {},
    progress: { percent: 0 },
    warnings: [],
    attempts: 0,
    createdBy: 'test',
    createdAt: '2026-01-01T00:00:00.000Z',
    ...change,
  };
}

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();

describe('the SQLite catalogue', () => {
  let folder: string;
  let catalogue: Catalogue;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-catalogue-'));
    catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
    for (let minute = 0; minute < 50; minute++) {
      await catalogue.backups.insert(
        backup(`b${String(minute).padStart(2, '0')}`, {
          createdAt: at(minute),
          type: minute % 10 === 0 ? 'full' : 'incremental',
          resourceId: minute < 40 ? 'shop' : 'shop_x',
        }),
      );
    }
  });
  after(async () => {
    await catalogue.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('a small table is empty until something is put into it, whatever others hold', async () => {
    const token = {
      id: 'token-1',
      name: 'ci',
      role: 'viewer',
      hash: '00',
      createdAt: '2026-01-01T00:00:00.000Z',
    } as const;
    await catalogue.tokens.put(token);
    assert.deepEqual([await catalogue.tokens.isEmpty(), await catalogue.users.isEmpty()], [false, true]);
    await catalogue.tokens.delete(token.id);
    assert.equal(await catalogue.tokens.isEmpty(), true);
  });

  test('pages go through everything once, newest first', async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await catalogue.backups.page({}, { limit: 7, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assert.equal(seen.length, 50);
    assert.deepEqual(seen, [...seen].sort().reverse());
  });

  test('a cursor that Holdfast did not make is refused', async () => {
    for (const cursor of [
      'nonsense',
      '',
      Buffer.from('["a"]').toString('base64url'),
      Buffer.from('{}').toString('base64url'),
    ]) {
      await assert.rejects(catalogue.backups.page({}, { limit: 1, cursor }), { code: 'cursor-invalid' });
    }
  });

  test('filters narrow by resource, type, time, tag and grant, and treat _ and % as themselves', async () => {
    await catalogue.backups.put(
      backup('b05', {
        createdAt: at(5),
        type: 'incremental',
        metadata: { tags: { env: 'production', 'odd"\\key': 'x' } },
      }),
    );
    assert.equal(await catalogue.backups.count({ resourceId: 'shop' }), 40);
    assert.equal(await catalogue.backups.count({ type: 'full' }), 5);
    assert.equal(await catalogue.backups.count({ from: at(10), until: at(20) }), 10);
    assert.equal(await catalogue.backups.count({ tag: 'env=production' }), 1);
    assert.equal(await catalogue.backups.count({ tag: 'env=test' }), 0);
    assert.equal(await catalogue.backups.count({ tag: 'env' }), 1);
    assert.equal(await catalogue.backups.count({ resources: ['shop_*'] }), 10);
    assert.equal(await catalogue.backups.count({ resources: ['shop%'] }), 0);
    assert.equal(await catalogue.backups.count({ resources: [] }), 0);
    assert.deepEqual((await catalogue.backups.get('b05'))?.metadata.tags, { env: 'production', 'odd"\\key': 'x' });
  });

  test('point in time is the newest at or before, among the newest so many', async () => {
    assert.equal((await catalogue.backups.atOrBefore('shop', at(25), 100))?.id, 'b25');
    assert.equal(
      (await catalogue.backups.atOrBefore('shop', new Date(Date.parse(at(25)) - 1).toISOString(), 100))?.id,
      'b24',
    );
    assert.equal(await catalogue.backups.atOrBefore('shop', at(25), 10), undefined);
    assert.equal(await catalogue.backups.atOrBefore('unknown', at(25), 10), undefined);
    assert.equal((await catalogue.backups.latest('shop'))?.id, 'b39');
    assert.equal((await catalogue.backups.latest('shop', 'full'))?.id, 'b30');
  });

  test('the newest backup of each resource is told of those that exist and have one', async () => {
    const resource = { type: 'x', service: 'x', configuration: {}, repositoryId: 'default' };
    for (const id of ['shop', 'without'])
      await catalogue.resources.ensure({ ...resource, id, createdAt: at(0), updatedAt: at(0) });
    const newest = await catalogue.backups.newestOf(['shop', 'without', 'unknown']);
    assert.deepEqual([...newest], [['shop', { id: 'b39', createdAt: at(39) }]]);
    assert.equal((await catalogue.backups.newestOf([])).size, 0);
    for (const id of ['shop', 'without']) await catalogue.resources.delete(id);
  });

  test('dependants are those whose chain goes through a backup, nearest first', async () => {
    const chain = { resourceId: 'chained', createdAt: at(100) };
    await catalogue.backups.insert(backup('c0', chain));
    await catalogue.backups.insert(backup('c1', { ...chain, parentId: 'c0', chainLength: 1 }));
    await catalogue.backups.insert(backup('c2', { ...chain, parentId: 'c1', chainLength: 2 }));
    await catalogue.backups.insert(backup('tree', { ...chain, parentId: 'c0', chainLength: 0 }));
    assert.deepEqual(
      (await catalogue.backups.dependants('c0')).map((item) => item.id),
      ['c1', 'c2'],
    );
    assert.deepEqual(await catalogue.backups.dependants('c2'), []);
    for (const id of ['c0', 'c1', 'c2', 'tree']) assert.equal(await catalogue.backups.delete(id), true);
    assert.equal(await catalogue.backups.delete('c0'), false);
  });

  test('what has expired comes oldest first', async () => {
    await catalogue.backups.insert(backup('e1', { createdAt: at(200), expiresAt: at(300) }));
    await catalogue.backups.insert(backup('e2', { createdAt: at(201), expiresAt: at(400) }));
    assert.deepEqual(
      (await catalogue.backups.expired(at(300))).map((item) => item.id),
      ['e1'],
    );
    await catalogue.backups.delete('e1');
    await catalogue.backups.delete('e2');
  });

  test('of two processes that want work, each operation goes to one', async () => {
    const other = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
    try {
      for (let index = 0; index < 20; index++) await catalogue.operations.insert(operation(`o${index}`));
      const claimed: string[] = [];
      const drain = async (from: Catalogue, owner: string): Promise<void> => {
        for (
          let next = await from.operations.claim(owner);
          next !== undefined;
          next = await from.operations.claim(owner)
        )
          claimed.push(next.id);
      };
      await Promise.all([drain(catalogue, 'a'), drain(other, 'b')]);
      assert.equal(new Set(claimed).size, 20);
      assert.equal(claimed.length, 20);
      assert.equal((await catalogue.operations.orphaned(['a', 'b'])).length, 0);
      assert.equal((await catalogue.operations.orphaned([])).length, 20);
      for (const id of claimed) await catalogue.operations.update(id, { status: 'completed' });
      assert.deepEqual(await catalogue.operations.owners(), []);
    } finally {
      await other.close();
    }
  });

  test('the audit log chains events of several processes, and a change in it shows', async () => {
    const file = path.join(folder, 'catalogue.sqlite');
    const other = await openSqliteCatalogue({ file });
    const event = (action: string) => ({
      time: at(0),
      actor: 'test',
      action,
      outcome: 'success' as const,
      details: { 'a"b\\': 1 },
    });
    for (let index = 0; index < 10; index++)
      await (index % 2 === 0 ? catalogue : other).audit.append(event(`act-${index}`));
    await Promise.all(Array.from({ length: 10 }, (_, index) => catalogue.audit.append(event(`act-${10 + index}`))));
    await other.close();
    assert.deepEqual(await catalogue.audit.verify(), { events: 20 });
    assert.equal((await catalogue.audit.page({}, { limit: 5 })).items[0]?.sequence, 20);
    const direct = new DatabaseSync(file);
    direct.exec(`UPDATE audit_events SET record = replace(record, '"test"', '"nobody"') WHERE sequence = 7`);
    direct.close();
    assert.deepEqual(await catalogue.audit.verify(), { events: 6, brokenAt: 7 });
    const columns = new DatabaseSync(file);
    columns.exec(`UPDATE audit_events SET actor = 'somebody-else' WHERE sequence = 3`);
    columns.close();
    assert.deepEqual(await catalogue.audit.verify(), { events: 2, brokenAt: 3 });
    const cursor = Buffer.from('["no number"]').toString('base64url');
    await assert.rejects(catalogue.audit.page({}, { limit: 1, cursor }), { code: 'cursor-invalid' });
  });

  test('an idempotency key is claimed once, then answers as it did', async () => {
    const { idempotency } = catalogue;
    assert.deepEqual(await idempotency.begin('k', 'f', at(0)), { state: 'new' });
    assert.deepEqual(await idempotency.begin('k', 'f', at(0)), { state: 'in-progress' });
    assert.deepEqual(await idempotency.begin('k', 'other', at(0)), { state: 'mismatch' });
    await idempotency.finish('k', 201, '{"id":1}');
    assert.deepEqual(await idempotency.begin('k', 'f', at(0)), { state: 'done', status: 201, body: '{"id":1}' });
    await idempotency.begin('failed', 'f', at(0));
    await idempotency.abandon('failed');
    assert.deepEqual(await idempotency.begin('failed', 'f', at(0)), { state: 'new' });
    await idempotency.expire(at(1));
    assert.deepEqual(await idempotency.begin('k', 'f', at(0)), { state: 'new' });
  });

  test('the questions asked all day are answered from an index', async () => {
    const sqlite = new NodeSqliteDatabase(path.join(folder, 'catalogue.sqlite'));
    const asked: CompiledQuery[] = [];
    const database = new Kysely<CatalogueSchema>({
      dialect: new SqliteDialect({ database: sqlite }),
      log: ({ query }) => void asked.push(query),
    });
    const backups = createBackupTable(database, createExclusively(database, sqlite));
    const cursor = Buffer.from(JSON.stringify([at(20), 'b20'])).toString('base64url');
    for (const filter of [
      {},
      { resourceId: 'shop' },
      { type: 'full' as const },
      { resourceId: 'shop', type: 'full' as const },
      { resourceType: 'postgresql' },
      { tag: 'env' },
      { tag: 'env=production' },
      { from: at(1), until: at(9) },
    ]) {
      await backups.page(filter, { limit: 10 });
      await backups.page(filter, { limit: 10, cursor });
    }
    await backups.latest('shop');
    await backups.latest('shop', 'full');
    await backups.expired(at(0));
    await backups.allOf('shop');
    await backups.count({ resourceId: 'shop' });
    await backups.newestOf(['shop', 'other']);
    const sorted = asked.length;
    // These sort what they found: at most a hundred rows, and what depends on one backup.
    await backups.atOrBefore('shop', at(5), 100);
    await backups.dependants('b00');
    for (const [index, { sql, parameters }] of asked.entries()) {
      const plan = sqlite
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(parameters)
        .map((row) => (row as { detail: string }).detail);
      const steps = plan.filter((step) => /^(SCAN|SEARCH) (backups|backup_tags|child|latest)/.test(step));
      assert.ok(steps.length > 0, sql);
      for (const step of steps) assert.match(step, /USING (COVERING )?INDEX/, `${sql}: ${plan.join('; ')}`);
      if (index < sorted) assert.ok(!plan.some((step) => step.includes('TEMP B-TREE')), `${sql}: ${plan.join('; ')}`);
    }
    assert.ok(asked.length > sorted);
    await database.destroy();
  });

  test('parents in a circle, as only a damaged catalogue has them, come to an end', async () => {
    const chain = { resourceId: 'circle', createdAt: at(100), chainLength: 1 };
    await catalogue.backups.insert(backup('x1', { ...chain, parentId: 'x2' }));
    await catalogue.backups.insert(backup('x2', { ...chain, parentId: 'x1' }));
    const found = (await catalogue.backups.dependants('x1')).map((item) => item.id);
    assert.deepEqual(found.sort(), ['x1', 'x2']);
    for (const id of ['x1', 'x2']) await catalogue.backups.delete(id);
  });

  test('a page of a tag follows time, through cursors and other filters', async () => {
    const tags = { season: 'winter' };
    for (let index = 0; index < 9; index++) {
      const type = index % 2 === 0 ? ('full' as const) : ('incremental' as const);
      await catalogue.backups.insert(backup(`t${index}`, { createdAt: at(500 - index), type, metadata: { tags } }));
    }
    const first = await catalogue.backups.page({ tag: 'season', type: 'full' }, { limit: 3 });
    assert.deepEqual(
      first.items.map((item) => item.id),
      ['t0', 't2', 't4'],
    );
    const second = await catalogue.backups.page(
      { tag: 'season=winter', type: 'full', from: at(494) },
      { limit: 3, cursor: first.nextCursor! },
    );
    assert.deepEqual(
      second.items.map((item) => item.id),
      ['t6'],
    );
    for (let index = 0; index < 9; index++) await catalogue.backups.delete(`t${index}`);
    assert.equal(await catalogue.backups.count({ tag: 'season' }), 0);
  });

  test('totals add up all backups', async () => {
    assert.deepEqual(await catalogue.backups.totals(), {
      backups: 50,
      bytes: 5000,
      storedBytes: 3000,
      resources: 2,
      newest: at(49),
    });
  });

  test('an operation changes only from the status that was expected', async () => {
    await catalogue.operations.insert(operation('expected'));
    assert.equal((await catalogue.operations.claim('a'))?.id, 'expected');
    assert.equal((await catalogue.operations.get('expected'))?.status, 'running');
    assert.equal(await catalogue.operations.update('expected', { status: 'cancelled' }, 'queued'), false);
    assert.equal((await catalogue.operations.get('expected'))?.status, 'running');
    assert.equal(await catalogue.operations.update('expected', { status: 'completed' }, 'running'), true);
    assert.equal(await catalogue.operations.update('absent', { status: 'completed' }), false);
  });

  test('while another process writes, reading goes on and writing waits', async () => {
    const direct = new DatabaseSync(path.join(folder, 'catalogue.sqlite'));
    direct.exec('BEGIN IMMEDIATE');
    let written = false;
    const writing = catalogue.backups.put(backup('b00', { createdAt: at(0) })).then(() => {
      written = true;
    });
    for (let index = 0; index < 20; index++) assert.equal((await catalogue.backups.get('b01'))?.id, 'b01');
    assert.equal(written, false);
    direct.exec('COMMIT');
    direct.close();
    await writing;
    assert.equal(written, true);
  });
});
