import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { POSTGRESQL_18_PROGRAMS, SKIP_REASON_18 } from './postgresql-18.ts';
import { ClusterServer } from './postgresql-cluster-server.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';
import { giveToServer, spawnAsServer } from './postgresql-wal-cluster.ts';
import { SKIP_CLOSED_CHECKOUT } from './server-account.ts';

const STARTER = fileURLToPath(new URL('../bin/holdfast.js', import.meta.url));

describe('a cluster that the service follows', {
  skip: SKIP_REASON || SKIP_CLOSED_CHECKOUT,
  timeout: 1_200_000,
}, () => {
  follow(SERVER_PROGRAMS ?? '');
});

describe('a cluster of PostgreSQL 18 that the service follows', { skip: SKIP_REASON_18, timeout: 1_200_000 }, () => {
  follow(POSTGRESQL_18_PROGRAMS);
});

/** The real service in a process of its own, by its API, with a real server that it follows. */
function follow(programs: string): void {
  let folder: string;
  let server: ClusterServer;
  let service: ReturnType<typeof spawnAsServer>;
  let url: string;
  const restored: ClusterServer[] = [];
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-moment-'));
    giveToServer(folder);
    server = await ClusterServer.create(programs, {
      settings: ['track_commit_timestamp = on'],
      initdb: ['--wal-segsize=1', '--data-checksums'],
    });
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const env = { PATH: process.env.PATH, HOME: folder, PORT: String(port) };
    service = spawnAsServer(process.execPath, [STARTER, '--data', path.join(folder, 'data'), 'serve'], env);
    service.stdout.resume();
    service.stderr.resume();
    await eventually(
      async () => (await fetch(`${url}/health`).catch(() => undefined))?.ok === true,
      'it does not serve',
    );
  });
  after(async () => {
    if (service.exitCode === null && service.kill('SIGTERM')) await once(service, 'exit');
    for (const each of [...restored, server]) await each.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const call = async (method: string, route: string, body?: unknown) => {
    const answer = await fetch(url + route, {
      method,
      headers: { 'content-type': 'application/json', prefer: 'wait=300' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const said = await answer.text();
    assert.ok(answer.ok, `${method} ${route}: ${answer.status} ${said}`);
    return JSON.parse(said);
  };

  test('is restored to five random moments with exactly the rows that were committed by then', async () => {
    await server.sql('CREATE TABLE rows (id bigserial, text text)');
    const configuration = { connection: server.connection(), wal: { flushSeconds: 1 } };
    await call('PUT', '/resources/shop', { service: 'postgresql-physical', configuration });
    await eventually(
      async () => (await call('GET', '/resources/shop/log')).capture?.progress !== undefined,
      'no capture',
    );
    await call('POST', '/backups', { resourceId: 'shop' });
    for (const end = Date.now() + 6000; Date.now() < end; await pause(3))
      await server.sql(`INSERT INTO rows (text) VALUES (repeat(md5(random()::text), 100))`);
    const commits = (await server.sql(
      `SELECT id::text, to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
       FROM rows ORDER BY rows.id`,
    )) as { id: string; at: string }[];
    // A recovery to a moment ends at the first commit after it: PostgreSQL takes WAL without one for incomplete.
    await server.sql(`INSERT INTO rows (text) VALUES ('one more')`);
    const wanted = await server.value('SELECT pg_current_wal_flush_lsn()::text');
    await eventually(async () => {
      const { capture } = await call('GET', '/resources/shop/log');
      return (await server.value(`SELECT '${capture.progress.position}'::pg_lsn >= '${wanted}'::pg_lsn`)) === 'true';
    }, 'the log does not come to the end');
    for (let round = 0; round < 5; round++) {
      const moment = commits[Math.floor(Math.random() * commits.length)]?.at ?? '';
      const target = path.join(folder, `restored-${round}`);
      const options = { target, archiving: 'off' };
      const request = { resourceId: 'shop', timestamp: moment, createdBy: 'test', options };
      const { operation } = await call('POST', '/restore/point-in-time', request);
      assert.equal(operation.status, 'completed', JSON.stringify(operation));
      const copy = await ClusterServer.restored(server.programs, target);
      restored.push(copy);
      await copy.start();
      await copy.promoted();
      const found = (await copy.sql('SELECT id::text FROM rows ORDER BY rows.id')).map(({ id }) => id);
      assert.deepEqual(
        found,
        commits.filter(({ at }) => at <= moment).map(({ id }) => id),
        moment,
      );
      await copy.stop();
    }
  });
}
