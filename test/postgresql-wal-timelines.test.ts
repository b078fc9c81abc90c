import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { planSegment } from '../src/services/postgresql-physical/wal-assembly.ts';
import { readWalLog } from '../src/services/postgresql-physical/wal-pieces.ts';
import { eventually } from './eventually.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { WalCluster } from './postgresql-wal-cluster.ts';
import { compareWithServer, RunningCapture } from './postgresql-wal-rig.ts';
import { TemporaryResourceLog } from './temporary-resource-log.ts';

describe('the capture of WAL over a promotion', { skip: SKIP_REASON }, () => {
  let primary: WalCluster;
  const others: WalCluster[] = [];
  const opened: TemporaryResourceLog[] = [];
  before(async () => {
    primary = await WalCluster.create(['wal_keep_size = 200MB'], ['--wal-segsize=1']);
    await primary.query('CREATE TABLE rows (id bigint, text text)');
  });
  after(async () => {
    for (const each of opened) await each.remove();
    for (const each of [...others, primary]) await each.remove();
  });

  const write = (cluster: WalCluster, count: number) =>
    cluster.query(`INSERT INTO rows SELECT i, repeat(md5(i::text), 32) FROM generate_series(1, ${count}) i`);
  const standby = async () => {
    const copy = await primary.copy(['-X', 'stream']);
    others.push(copy);
    await copy.configure([`primary_conninfo = '${primary.connectionText}'`]);
    await copy.signal('standby');
    await copy.start();
    return copy;
  };
  const keep = async (cluster: WalCluster) => {
    const kept = await TemporaryResourceLog.create({ connection: cluster.connection(), wal: { flushSeconds: 0.1 } });
    opened.push(kept);
    return kept;
  };

  test('a standby that is promoted while its WAL is followed: the new timeline and its history are stored', async () => {
    const copy = await standby();
    const kept = await keep(copy);
    const capture = new RunningCapture(kept.resource, kept.log);
    await write(primary, 3000);
    await eventually(() => capture.reports.length > 3, 'nothing came from the standby');
    await copy.promote();
    await write(copy, 3000);
    await capture.caughtUp(copy);
    await capture.stop();
    assert.equal(capture.failure, undefined);
    assert.equal(capture.reports.at(-1)?.details?.timeline, 2);
    const log = readWalLog(await kept.log.pieces());
    const history = log.files.find(({ name }) => name === '00000002.history');
    assert.ok(history);
    const own = await readFile(path.join(copy.data, 'pg_wal', '00000002.history'));
    assert.ok((await kept.log.read(history.piece)).equals(own));
    assert.ok(log.segments.some(({ timeline }) => timeline === 1));
    assert.ok((await compareWithServer(kept.log, copy)) > 1024 * 1024);
    const names = (await readdir(path.join(copy.data, 'pg_wal'))).filter((name) => /^00000002.{16}$/.test(name)).sort();
    assert.equal(planSegment(log, String(names[0]), { upToGap: false }).kind, 'whole');
  });

  test('a capture that comes to a promoted server later follows its history from where the log ends, or from the fork', async () => {
    for (const isAhead of [false, true]) {
      const copy = await standby();
      const kept = await keep(primary);
      const first = new RunningCapture(kept.resource, kept.log);
      await first.caughtUp(primary);
      if (!isAhead) await first.stop();
      await write(primary, 2500);
      await eventually(async () => {
        const [lsn] = await primary.query('SELECT pg_current_wal_flush_lsn()::text AS lsn');
        const [row] = await copy.query<{ there: boolean }>(`SELECT pg_last_wal_replay_lsn() >= '${lsn?.lsn}' AS there`);
        return row?.there === true;
      }, 'the standby stays behind');
      await copy.promote();
      await write(copy, 2500);
      // What the old primary writes beyond the fork is on its own branch.
      await write(primary, 2500);
      if (isAhead) await first.caughtUp(primary);
      await first.stop();
      await primary.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
      const moved = {
        ...kept.resource,
        configuration: { ...kept.resource.configuration, connection: copy.connection() },
      };
      const second = new RunningCapture(moved, kept.log);
      await second.caughtUp(copy);
      await second.stop();
      assert.equal(second.failure, undefined);
      assert.doesNotMatch(second.warnings.join(), /WAL is missing/);
      const log = readWalLog(await kept.log.pieces());
      const names = (await readdir(path.join(copy.data, 'pg_wal')))
        .filter((name) => /^00000002.{16}$/.test(name))
        .sort();
      for (const name of names.slice(0, 2)) assert.equal(planSegment(log, name, { upToGap: false }).kind, 'whole');
      if (!isAhead) await compareWithServer(kept.log, copy);
      const back = new RunningCapture(kept.resource, kept.log);
      await back.ended;
      assert.match(String(back.failure), /timeline 2, which the server's timeline 1/);
    }
  });
});
