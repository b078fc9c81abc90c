import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readWalLog } from '../src/services/postgresql-physical/wal-pieces.ts';
import { eventually } from './eventually.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { WalCluster } from './postgresql-wal-cluster.ts';
import { compareWithServer, joinedSegments, RunningCapture } from './postgresql-wal-rig.ts';
import { TemporaryResourceLog } from './temporary-resource-log.ts';

describe('the capture of WAL', { skip: SKIP_REASON }, () => {
  let cluster: WalCluster;
  before(async () => {
    cluster = await WalCluster.create(['wal_keep_size = 1GB', 'max_wal_size = 2GB'], ['--wal-segsize=1']);
    await cluster.query('CREATE TABLE rows (id bigint, text text)');
  });
  after(() => cluster.remove());

  const write = (count: number) =>
    cluster.query(`INSERT INTO rows SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, ${count}) i`);

  const activeOf = async (slot: string) => {
    const [row] = await cluster.query(`SELECT active::text FROM pg_replication_slots WHERE slot_name = '${slot}'`);
    return row?.active;
  };

  test('what is stored under a writer is what the server has, byte for byte, whole segments and the running one', async () => {
    const kept = await TemporaryResourceLog.create({
      connection: cluster.connection(),
      wal: { slot: 'bytes', flushSeconds: 0.2 },
    });
    const capture = new RunningCapture(kept.resource, kept.log);
    for (let round = 0; round < 10; round++) await write(2000);
    await capture.caughtUp(cluster);
    await capture.stop();
    assert.equal(capture.failure, undefined);
    assert.ok((await compareWithServer(kept.log, cluster)) > 5 * 1024 * 1024);
    const { segments } = readWalLog(await kept.log.pieces());
    const whole = segments.filter(({ isPartial }) => !isPartial).map(({ segment }) => segment);
    assert.ok(whole.length >= 5);
    for (const each of segments.filter(({ isPartial }) => isPartial)) assert.ok(!whole.includes(each.segment));
    await eventually(async () => (await activeOf('bytes')) === 'false', 'the connection stayed');
    await kept.remove();
  });

  test('a capture that is killed again and again leaves no gap', async () => {
    const kept = await TemporaryResourceLog.create({
      connection: cluster.connection(),
      wal: { slot: 'killed', flushSeconds: 0.05 },
    });
    for (let round = 0; round < 8; round++) {
      const capture = new RunningCapture(kept.resource, kept.log);
      await eventually(async () => (await activeOf('killed')) === 'true', 'no capture began');
      await write(500 + 300 * round);
      if (round % 2 === 0)
        await cluster.query(
          `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'killed' AND active`,
        );
      else await capture.stop();
      await capture.ended;
      if (round % 2 === 0) assert.match(String(capture.failure), /lost|terminat/);
    }
    const last = new RunningCapture(kept.resource, kept.log);
    await last.caughtUp(cluster);
    await last.stop();
    assert.deepEqual(last.warnings, []);
    await compareWithServer(kept.log, cluster);
    const names = [...(await joinedSegments(kept.log)).keys()];
    const numbers = names.map((name) => Number.parseInt(name.slice(16), 16));
    assert.deepEqual(
      numbers,
      Array.from(numbers, (_, index) => (numbers[0] ?? 0) + index),
    );
    await kept.remove();
  });
});
