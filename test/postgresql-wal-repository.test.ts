import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { NewLogPiece, ResourceLog } from '../src/core/ports/resource-log.ts';
import { walFiles } from '../src/services/postgresql-physical/wal-files.ts';
import { readWalLog } from '../src/services/postgresql-physical/wal-pieces.ts';
import { parseLsn } from '../src/services/postgresql-physical/wal-position.ts';
import { eventually } from './eventually.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { WalCluster } from './postgresql-wal-cluster.ts';
import { compareWithServer, RunningCapture } from './postgresql-wal-rig.ts';
import { TemporaryResourceLog } from './temporary-resource-log.ts';

describe('the capture of WAL and its repository', { skip: SKIP_REASON }, () => {
  let cluster: WalCluster;
  const opened: TemporaryResourceLog[] = [];
  before(async () => {
    cluster = await WalCluster.create(['wal_keep_size = 500MB', 'max_wal_size = 2GB']);
    await cluster.query('CREATE TABLE rows (id bigint, text text)');
  });
  after(async () => {
    for (const each of opened) await each.remove();
    await cluster.remove();
  });

  const keep = async (wal: Record<string, unknown>, of = cluster) => {
    const kept = await TemporaryResourceLog.create({ connection: of.connection(), wal });
    opened.push(kept);
    return kept;
  };
  const write = (rows: number, to = cluster) =>
    to.query(`INSERT INTO rows SELECT i, repeat(md5(i::text), 32) FROM generate_series(1, ${rows}) i`);
  const confirmed = async (slot: string) => {
    const [row] = await cluster.query(
      `SELECT restart_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = '${slot}'`,
    );
    return parseLsn(row?.lsn ?? '0/0');
  };

  test('nothing is acknowledged that the repository did not take, and a failure of it ends the capture', async () => {
    const kept = await keep({ slot: 'failing', flushSeconds: 0 });
    let appended = 0n;
    let isBroken = false;
    const log = changed(kept.log, async (piece) => {
      if (isBroken) throw new Error('no space left');
      const stored = await kept.log.append(piece);
      appended = parseLsn(piece.to);
      return stored;
    });
    const capture = new RunningCapture(kept.resource, log);
    await write(1000);
    await capture.caughtUp(cluster);
    isBroken = true;
    await write(1000);
    await capture.ended;
    assert.match(String(capture.failure), /no space left/);
    assert.ok((await confirmed('failing')) <= appended);
    const again = new RunningCapture(kept.resource, kept.log);
    await again.caughtUp(cluster);
    await again.stop();
    assert.deepEqual(again.warnings, []);
    await compareWithServer(kept.log, cluster);
  });

  test('a repository that is slow makes the server wait, raises one alarm, and is waited for briefly at the end', async () => {
    const kept = await keep({ slot: 'slow', flushSeconds: 0.1, maxLagBytes: 20_000_000 });
    const { promise: opening, resolve: open } = Promise.withResolvers<void>();
    const log = changed(kept.log, async (piece) => {
      await opening;
      return kept.log.append(piece);
    });
    const capture = new RunningCapture(kept.resource, log);
    await eventually(() => capture.reports.length > 0, 'no capture began');
    for (let round = 0; round < 6; round++) await write(20_000);
    await eventually(() => capture.warnings.length > 0, 'no alarm');
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
    await write(60_000);
    await pause(500);
    assert.ok(process.memoryUsage().arrayBuffers + process.memoryUsage().external - before < 100_000_000);
    const begun = performance.now();
    const stopped = capture.stop();
    await stopped;
    assert.ok(performance.now() - begun < 30_000);
    assert.equal(capture.warnings.length, 1);
    assert.match(capture.warnings.join(), /bytes behind the server .*"slow"/);
    const { lagBytes, details } = capture.reports.at(-1) ?? {};
    assert.ok(Number(lagBytes) > 20_000_000);
    assert.ok(Number(details?.retainedBytes) > 20_000_000);
    open();
    await pause(1000);
  });

  test('large segments are stored in parts of 16 MiB, then whole, and given out whole', async () => {
    const large = await WalCluster.create(
      ['min_wal_size = 128MB', 'max_wal_size = 1GB', 'wal_keep_size = 300MB'],
      ['--wal-segsize=64'],
    );
    try {
      await large.query('CREATE TABLE rows (id bigint, text text)');
      const kept = await keep({ flushSeconds: 1 }, large);
      const capture = new RunningCapture(kept.resource, kept.log);
      for (let round = 0; round < 8; round++) await write(10_000, large);
      await large.query('SELECT pg_switch_wal()');
      await write(1000, large);
      await capture.caughtUp(large);
      await eventually(async () => {
        const { segments: found } = readWalLog(await kept.log.pieces());
        return found.some(({ isPartial }) => !isPartial) && found.every(({ level }) => level !== 9);
      }, 'the parts were not joined');
      await capture.stop();
      const { segments } = readWalLog(await kept.log.pieces());
      const [first] = segments;
      assert.equal(first?.segmentBytes, 64 * 1024 * 1024);
      const own = segments.filter(({ segment }) => segment === first?.segment);
      assert.deepEqual(
        own.map(({ isPartial, piece }) => [isPartial, piece.size]),
        [[false, 64 * 1024 * 1024]],
      );
      const destination = path.join(large.folder, 'fetched');
      const request = { resourceId: 'shop', name: String(first?.segment), destination, prefetch: 3, upToGap: false };
      assert.equal(await walFiles.get(kept.log, request), 'fetched');
      assert.ok((await readFile(destination)).equals(await readFile(path.join(large.data, 'pg_wal', request.name))));
    } finally {
      await large.remove();
    }
  });
});

/** The same log, with another way to append. */
function changed(log: ResourceLog, append: (piece: NewLogPiece) => ReturnType<ResourceLog['append']>): ResourceLog {
  return {
    append,
    pieces: () => log.pieces(),
    open: (piece) => log.open(piece),
    read: (piece) => log.read(piece),
    remove: (pieces) => log.remove(pieces),
  };
}
