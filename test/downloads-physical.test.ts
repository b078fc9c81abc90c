import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { DownloadRequest } from '../src/core/download.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { eventually } from './eventually.ts';
import { gather } from './managed-application.ts';
import { PolicyVariants } from './policy-variants-rig.ts';
import { ClusterServer, ownedFolder } from './postgresql-cluster-server.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';
import { processesIn, untilNoneIn, untilOneIn } from './processes.ts';
import { Service } from './service-process.ts';

const PRINCIPAL = { name: 'fred', role: 'admin' as const };
const ALONE = '--no-owner --no-privileges --no-tablespaces --no-security-labels --no-publications --no-subscriptions';

describe('a download of a physical PostgreSQL backup', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PhysicalRig;
  let variants: PolicyVariants;
  let backup: Backup;
  let expected: string;

  const address = (database: string) =>
    `host=${rig.server.folder} port=${rig.server.port} user=postgres password=${rig.server.password} dbname=${database}`;
  const dump = async (database: string, ...options: string[]): Promise<string> => {
    return withoutKeys(await rig.server.program('pg_dump', ...ALONE.split(' '), ...options, address(database)));
  };
  const open = async (request: Partial<DownloadRequest>, signal = new AbortController().signal) => {
    const { downloads } = rig.managed.application;
    const wanted = { principal: PRINCIPAL, resourceId: backup.resourceId, variant: 'raw', seal: 'none' as const };
    const download = await downloads.find({ ...wanted, ...request }, signal);
    return download.open(signal);
  };
  const sql = async (request: Partial<DownloadRequest>, signal?: AbortSignal): Promise<string> => {
    const ending = new AbortController();
    try {
      const opened = await open(request, signal ?? ending.signal);
      return withoutKeys((await gather(opened.bytes())).toString());
    } finally {
      ending.abort();
    }
  };
  const load = async (database: string, script: string): Promise<void> => {
    await rig.server.sql(`CREATE DATABASE "${database}"`);
    const file = path.join(rig.server.folder, `${database}.sql`);
    await writeFile(file, script, { mode: 0o644 });
    await rig.server.program('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', file, address(database));
  };
  const folders = async () => (await readdir(rig.folder)).filter((name) => name.startsWith('holdfast-drill-'));

  before(async () => {
    variants = await PolicyVariants.create();
    rig = await PhysicalRig.create(SERVER_PROGRAMS ?? '', {
      settings: ['max_prepared_transactions = 2'],
      parts: { variantMaker: variants.maker, sealer: createSqlSealer() },
    });
    await rig.server.sql('CREATE DATABASE app');
    await rig.server.sql(SHOP, 'app');
    // Locked for ever, and in no dump.
    await rig.server.sql(`BEGIN; LOCK orders; INSERT INTO orders VALUES (-1, 1, 5); PREPARE TRANSACTION 'open'`, 'app');
    const configuration = { connection: rig.server.connection() };
    const { resources } = rig.managed.application;
    await resources.put({ id: 'shop', service: 'postgresql-physical', configuration });
    backup = await rig.backUp('shop');
    await rig.server.sql(`ROLLBACK PREPARED 'open'`, 'app');
    expected = await dump('app');
    await rig.server.sql(`DELETE FROM orders; INSERT INTO people VALUES (0, 'after the backup', 'no')`, 'app');
  });
  after(async () => {
    await rig.remove();
    await variants.remove();
  });
  afterEach(async () => {
    await untilNoneIn(rig.folder);
    assert.deepEqual(await folders(), []);
  });

  test('is what pg_dump gave of its only database at the time of the backup', async () => {
    assert.equal(await sql({}), expected);
  });

  test('is of some tables with what they need, and says what it leaves out', async () => {
    await load('part', await sql({ tables: ['orders'], database: 'app' }));
    assert.equal(await rig.server.value('SELECT count(*) FROM orders', 'part'), '2000');
    assert.equal(await rig.server.value(`SELECT to_regclass('people') IS NULL`, 'part'), 'true');
  });

  test('is masked by a policy and sealed, and loads with every row and none of what is masked', async () => {
    await variants.policy(POLICY);
    const masked = await sql({ variant: 'masked', seal: 'full' });
    await load('masked', masked);
    assert.equal(
      await rig.server.value('SELECT count(*) FROM orders JOIN people ON person = people.id', 'masked'),
      '2000',
    );
    assert.doesNotMatch(masked, /Person \d|corp\.example/);
    const part = await sql({ variant: 'masked', tables: ['people'], database: 'app' });
    await load('masked_part', part);
    const people = `SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM people t`;
    assert.equal(await rig.server.value(people, 'masked_part'), await rig.server.value(people, 'masked'));
    assert.doesNotMatch(part, /Person \d|corp\.example|orders/);
  });

  test('is reduced by a policy and kept, and gives tables of what is kept without a server', async () => {
    await variants.policy(POLICY);
    const wanted = { variant: 'reduced', database: 'app', waitMilliseconds: 300_000 };
    await load('reduced', await sql(wanted));
    const servers = new Set<string>();
    const looking = setInterval(() => {
      for (const name of processesIn(rig.folder)) servers.add(name);
    }, 20);
    const part = await sql({ ...wanted, tables: ['people'] });
    clearInterval(looking);
    assert.deepEqual([...servers], []);
    await load('reduced_part', part);
    const people = `SELECT count(*) || md5(string_agg(t::text, ',' ORDER BY id)) FROM people t`;
    assert.equal(await rig.server.value(people, 'reduced_part'), await rig.server.value(people, 'reduced'));
    assert.doesNotMatch(part, /Person \d|corp\.example|orders/);
    await load('reduced_orders', await sql({ ...wanted, tables: ['orders'], seal: 'full' }));
  });

  test('is refused before anything is restored where there is no such database', async () => {
    await assert.rejects(sql({ database: 'absent' }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'download-choice-invalid');
      assert.match(error.message, /no database "absent".*"app", "postgres"/);
      return true;
    });
    await assert.rejects(sql({ paths: ['base'] }), { code: 'download-choice-invalid' });
  });

  test('leaves no process and no folder behind when its client goes, however far it is', async () => {
    const early = new AbortController();
    const waiting = assert.rejects(sql({}, early.signal));
    await untilOneIn(rig.folder);
    early.abort();
    await waiting;
    const late = new AbortController();
    const pieces = (await open({}, late.signal)).bytes()[Symbol.asyncIterator]();
    await pieces.next();
    assert.match(processesIn(rig.folder).join(), /postgres/);
    // Nobody asks for another byte.
    late.abort();
    await untilNoneIn(rig.folder);
    await eventually(async () => (await folders()).length === 0, 'The folder is still there.');
  });

  test('is refused before anything is written where the disk has no room, and leaves no folder', async () => {
    const chain = [{ backup, reader: await rig.managed.repository.openSnapshot(backup.id) }];
    let removed = 0;
    const folder = {
      path: rig.place('absent'),
      freeBytes: async () => backup.size,
      remove: async () => void removed++,
    };
    const context = { backup, chain, choice: { format: 'sql' as const }, signal: new AbortController().signal };
    try {
      const warn = (message: string) => assert.fail(message);
      const material = await rig.service.download!({ ...context, warn, temporaryFolder: async () => folder });
      await assert.rejects(gather(material.bytes()), { kind: 'unavailable', code: 'download-space-short' });
    } finally {
      await chain[0]?.reader.close();
    }
    assert.equal(removed, 1);
  });

  test('never ends well where the backup is damaged', async () => {
    const packs = path.join(rig.folder, 'repository', 'packs');
    for (const name of await readdir(packs, { recursive: true })) {
      const file = path.join(packs, name);
      const bytes = (await stat(file)).isFile() ? await readFile(file) : Buffer.alloc(0);
      if (bytes.length < 20_000) continue;
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      await chmod(file, 0o600);
      await writeFile(file, bytes);
    }
    await assert.rejects(sql({}), { kind: 'damaged' });
  });
});

describe('a download of a physical backup from a service', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  test('leaves no process behind when the service is killed, and no folder when it has started again', async () => {
    const folder = await ownedFolder();
    const temporary = path.join(folder, 'tmp');
    await mkdir(temporary);
    process.env.TMPDIR = temporary;
    const folders = async () => (await readdir(temporary)).filter((name) => name.startsWith('holdfast-drill-'));
    const server = await ClusterServer.create(SERVER_PROGRAMS ?? '');
    let service = await Service.start(path.join(folder, 'data'));
    try {
      await server.sql(
        `CREATE TABLE many AS SELECT g, repeat(md5(g::text), 20) AS text FROM generate_series(1, 40000) g`,
      );
      const configuration = { connection: server.connection() };
      await service.call('PUT', '/resources/shop', JSON.stringify({ service: 'postgresql-physical', configuration }));
      const headers = { 'content-type': 'application/json', prefer: 'wait=600' };
      const body = JSON.stringify({ resourceId: 'shop' });
      await fetch(`${service.url}/backups`, { method: 'POST', headers, body });
      const answer = await fetch(`${service.url}/download/shop?variant=raw&seal=none`);
      assert.equal(answer.status, 200);
      assert.match(processesIn(temporary).join(), /postgres/);
      await service.end('SIGKILL');
      await untilNoneIn(temporary);
      assert.equal((await folders()).length, 1);
      await answer.body?.cancel().catch(() => undefined);
      service = await Service.start(path.join(folder, 'data'));
      await eventually(async () => (await folders()).length === 0, 'The folder is still there.');
    } finally {
      delete process.env.TMPDIR;
      await service.end('SIGTERM');
      await server.remove();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

function withoutKeys(text: string): string {
  return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

const SHOP = `CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, email text UNIQUE);
  INSERT INTO people SELECT g, 'Person ' || g, 'person' || g || '@corp.example' FROM generate_series(1, 500) g;
  CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people, total int, mood mood DEFAULT 'good');
  INSERT INTO orders SELECT g, 1 + g % 500, g FROM generate_series(1, 2000) g;`;

const POLICY = `
variants:
  masked: { keep: full }
  reduced: { subset: { seed: x, roots: [{ table: public.orders, sample: 10% }] } }
tables:
  public.people: { columns: { id: keep, name: name, email: email } }
  public.orders: { columns: { id: keep, person: keep, total: keep, mood: keep } }
`;
