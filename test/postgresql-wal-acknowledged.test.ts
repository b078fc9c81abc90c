import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ResourceLog } from '../src/core/ports/resource-log.ts';
import { walFiles } from '../src/services/postgresql-physical/wal-files.ts';
import { readWalLog } from '../src/services/postgresql-physical/wal-pieces.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import { eventually } from './eventually.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { giveToServer, WalCluster } from './postgresql-wal-cluster.ts';
import { compareWithServer, RunningCapture } from './postgresql-wal-rig.ts';
import { TemporaryResourceLog } from './temporary-resource-log.ts';

describe('WAL that was acknowledged', { skip: SKIP_REASON }, () => {
  const clusters: WalCluster[] = [];
  const opened: TemporaryResourceLog[] = [];
  after(async () => {
    for (const each of opened) await each.remove();
    for (const each of clusters) await each.remove();
  });

  const create = async (...settings: string[]) => {
    const cluster = await WalCluster.create(settings, ['--wal-segsize=1']);
    clusters.push(cluster);
    return cluster;
  };
  const keep = async (configuration: Record<string, unknown>) => {
    const kept = await TemporaryResourceLog.create(configuration);
    opened.push(kept);
    return kept;
  };

  test('every commit that waited for the capture is there after the server was killed in mid-write', async () => {
    const cluster = await create(`synchronous_standby_names = 'holdfast'`);
    const kept = await keep({ connection: cluster.connection(), wal: { flushSeconds: 0 } });
    const capture = new RunningCapture(kept.resource, kept.log);
    await cluster.query('CREATE TABLE rows (id text PRIMARY KEY, text text)');
    const copy = await cluster.copy();
    clusters.push(copy);
    const acknowledged: string[] = [];
    const end = Date.now() + 4000;
    const writers = Array.from({ length: 4 }, (_, writer) => writeUntilKilled(cluster, writer, acknowledged));
    await eventually(() => Date.now() > end && acknowledged.length > 40, 'too few commits');
    await cluster.kill();
    await Promise.all(writers);
    await capture.ended;
    assert.match(String(capture.failure), /lost|terminated/);

    await recoverFrom(kept.log, copy);
    const found = new Set((await copy.query<{ id: string }>('SELECT id FROM rows')).map(({ id }) => id));
    assert.deepEqual(
      acknowledged.filter((id) => !found.has(id)),
      [],
    );
  });

  test('small pieces are put together while the segment runs, and none is left when it is complete', async () => {
    const cluster = await create('wal_keep_size = 200MB', 'autovacuum = off');
    const kept = await keep({ connection: cluster.connection(), wal: { flushSeconds: 0 } });
    const capture = new RunningCapture(kept.resource, kept.log);
    const partial = async () => readWalLog(await kept.log.pieces()).segments.filter(({ isPartial }) => isPartial);
    await cluster.query('CREATE TABLE rows (id int)');
    await cluster.query('SELECT pg_switch_wal()');
    await capture.caughtUp(cluster);
    const client = await cluster.connect();
    for (let count = 0; count < 150; count++) {
      await client.query('INSERT INTO rows VALUES (1)');
      await capture.caughtUp(cluster);
    }
    await eventually(async () => (await partial()).some(({ level }) => level === 1), 'nothing was put together');
    await eventually(async () => (await partial()).length < 150, 'what was put together stayed');
    await client.query('SELECT pg_switch_wal()');
    await client.query('INSERT INTO rows VALUES (1)');
    await client.end();
    await capture.caughtUp(cluster);
    await eventually(async () => (await partial()).length < 20, 'small pieces stayed');
    await capture.stop();
    assert.equal(capture.failure, undefined);
    await compareWithServer(kept.log, cluster);
  });

  test('a server that crashes in mid-write again and again and recovers is followed without contradiction', async () => {
    const cluster = await create('wal_keep_size = 200MB');
    const kept = await keep({ connection: cluster.connection(), wal: { flushSeconds: 0 } });
    for (let round = 0; round < 4; round++) {
      const capture = new RunningCapture(kept.resource, kept.log);
      await cluster.query('CREATE TABLE IF NOT EXISTS rows (id text, text text)');
      const acknowledged: string[] = [];
      const writers = Array.from({ length: 4 }, (_, writer) => writeUntilKilled(cluster, writer, acknowledged));
      await eventually(() => acknowledged.length > 300 && capture.reports.length > 5, 'too few commits');
      await cluster.kill();
      await Promise.all(writers);
      await capture.ended;
      assert.match(String(capture.failure), /lost|terminated/);
      await cluster.start();
    }
    const last = new RunningCapture(kept.resource, kept.log);
    await last.caughtUp(cluster);
    await last.stop();
    assert.deepEqual(last.warnings, []);
    assert.ok((await compareWithServer(kept.log, cluster)) > 500_000);
  });

  test('a connection that is cut at random bytes again and again loses and doubles nothing', async () => {
    const cluster = await create('wal_keep_size = 500MB');
    await cluster.query('CREATE TABLE rows (id bigint, text text)');
    const proxy = await CuttingProxy.to(cluster.port);
    try {
      const kept = await keep({
        connection: { ...cluster.connection(), socket: undefined, host: '127.0.0.1', port: proxy.port },
        wal: { flushSeconds: 0.02 },
      });
      let isOver = false;
      const writer = (async () => {
        for (; !isOver; await pause(10))
          await cluster.query(`INSERT INTO rows SELECT i, repeat(md5(i::text), 9) FROM generate_series(1, 200) i`);
      })();
      for (let round = 0; round < 200; round++) {
        // From within the log-in to far into the stream.
        proxy.reset(Math.floor(10 ** (2 + 4 * Math.random())));
        const capture = new RunningCapture(kept.resource, kept.log);
        await Promise.race([capture.ended, pause(3000)]);
        await capture.stop();
      }
      isOver = true;
      await writer;
      proxy.reset();
      const last = new RunningCapture(kept.resource, kept.log);
      await last.caughtUp(cluster);
      await last.stop();
      assert.deepEqual(last.warnings, []);
      assert.ok(proxy.cuts > 150);
      assert.ok((await compareWithServer(kept.log, cluster)) > 1024 * 1024);
      const { segments } = readWalLog(await kept.log.pieces());
      segments.slice(1).forEach((piece, index) => {
        assert.ok(piece.start <= (segments[index]?.end ?? 0n), 'a hole');
      });
      await eventually(async () => {
        const rows = await cluster.query(`SELECT pid FROM pg_stat_activity WHERE application_name = 'holdfast'`);
        return rows.length === 0;
      }, 'connections stayed');
    } finally {
      await proxy.close();
    }
  });

  test('a server that says nothing any more is missed, and an abort does not wait for it', async () => {
    const cluster = await create();
    const kept = await keep({ connection: cluster.connection(), wal: { flushSeconds: 0, timeoutSeconds: 10 } });
    for (const isAborted of [true, false]) {
      const capture = new RunningCapture(kept.resource, kept.log);
      await capture.caughtUp(cluster);
      await cluster.freeze();
      try {
        if (isAborted)
          await Promise.race([
            capture.stop(),
            pause(60_000, undefined, { ref: false }).then(() => assert.fail('it waited')),
          ]);
        await capture.ended;
        if (!isAborted) assert.match(String(capture.failure), /silent for 1\d seconds/);
      } finally {
        await cluster.freeze('SIGCONT');
      }
    }
  });

  test('a server that shuts down in order does not wait for the interval', async () => {
    const cluster = await create();
    const kept = await keep({ connection: cluster.connection(), wal: { flushSeconds: 3600 } });
    const capture = new RunningCapture(kept.resource, kept.log);
    await cluster.query('CREATE TABLE rows (id bigint)');
    await eventually(() => capture.reports.length > 0, 'no capture began');
    await cluster.stop();
    await capture.ended;
    assert.match(String(capture.failure), /shuts down|lost|terminated/);
    const [checkpoint] =
      /Latest checkpoint location: +(\S+)/.exec(await cluster.program('pg_controldata', [cluster.data]))?.slice(1) ??
      [];
    const end = readWalLog(await kept.log.pieces()).segments.at(-1)?.end ?? 0n;
    assert.ok(end > BigInt(`0x${checkpoint?.split('/')[1]}`), 'the last checkpoint is not stored');
    await cluster.start();
  });
});

async function writeUntilKilled(cluster: WalCluster, writer: number, acknowledged: string[]): Promise<void> {
  const client = await cluster.connect();
  try {
    for (let number = 0; ; number++) {
      await client.query(`INSERT INTO rows VALUES ($1, repeat(md5($1), 20))`, [`${writer}-${number}`]);
      acknowledged.push(`${writer}-${number}`);
    }
  } catch {
    // The server is gone; what was not acknowledged may be there or not.
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Recovers to the end of the log, from files as `wal-get` gives them. */
async function recoverFrom(log: ResourceLog, copy: WalCluster): Promise<void> {
  const archive = path.join(copy.folder, 'archive');
  await mkdir(archive);
  const names = new Set(readWalLog(await log.pieces()).segments.map(({ segment }) => segment));
  for (const name of names) {
    const request = { resourceId: 'shop', name, destination: path.join(archive, name), prefetch: 0, upToGap: false };
    assert.equal(await walFiles.get(log, request), 'fetched');
  }
  giveToServer(archive);
  await copy.configure([`restore_command = 'cp ${archive}/%f %p'`, `synchronous_standby_names = ''`]);
  await copy.signal('recovery');
  await copy.start();
  await eventually(async () => {
    const [state] = await copy.query<{ over: boolean }>('SELECT NOT pg_is_in_recovery() AS over');
    return state?.over === true;
  }, 'the recovery did not end');
  await rm(archive, { recursive: true });
}
