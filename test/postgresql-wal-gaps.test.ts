import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import { dropReplicationSlot } from '../src/services/postgresql-physical/capture.ts';
import { planSegment } from '../src/services/postgresql-physical/wal-assembly.ts';
import { readWalLog } from '../src/services/postgresql-physical/wal-pieces.ts';
import { formatLsn, segmentName } from '../src/services/postgresql-physical/wal-position.ts';
import { eventually } from './eventually.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { WalCluster } from './postgresql-wal-cluster.ts';
import { RunningCapture, resolveTestSecret } from './postgresql-wal-rig.ts';
import { TemporaryResourceLog } from './temporary-resource-log.ts';

const SEGMENT = 1024 * 1024;

describe('the capture of WAL where something is missing', { skip: SKIP_REASON }, () => {
  let cluster: WalCluster;
  const opened: TemporaryResourceLog[] = [];
  before(async () => {
    cluster = await WalCluster.create(
      ['max_wal_size = 4MB', 'min_wal_size = 2MB', 'wal_keep_size = 0', 'max_replication_slots = 3'],
      ['--wal-segsize=1'],
    );
    await cluster.query('CREATE TABLE rows (id bigint, text text)');
  });
  after(async () => {
    for (const each of opened) await each.remove();
    await cluster.remove();
  });

  const keep = async (wal: Record<string, unknown>, connection = cluster.connection()) => {
    const kept = await TemporaryResourceLog.create({ connection, wal: { flushSeconds: 0.1, ...wal } });
    opened.push(kept);
    return kept;
  };
  const write = (segments: number) =>
    cluster.query(`INSERT INTO rows SELECT i, repeat(md5(i::text), 32) FROM generate_series(1, ${segments * 1000}) i`);
  /** Writes so much, and has old segments removed, that nothing from before is there any more. */
  const outrun = async () => {
    for (let round = 0; round < 4; round++) {
      await write(4);
      await cluster.query('SELECT pg_switch_wal()');
      await cluster.query('CHECKPOINT');
    }
  };
  const drop = (slot: string) => cluster.query(`SELECT pg_drop_replication_slot('${slot}')`);
  const failureOf = async (kept: TemporaryResourceLog) => {
    const capture = new RunningCapture(kept.resource, kept.log);
    await capture.ended;
    assert.ok(capture.failure instanceof HoldfastError, String(capture.failure));
    return capture.failure;
  };

  test('a slot that was dropped is made again, and where the server still has the WAL nothing is missing', async () => {
    const kept = await keep({ slot: 'dropped' });
    const first = new RunningCapture(kept.resource, kept.log);
    await first.caughtUp(cluster);
    await first.stop();
    await drop('dropped');
    const second = new RunningCapture(kept.resource, kept.log);
    await second.caughtUp(cluster);
    await second.stop();
    assert.match(second.warnings.join(), /"dropped" was missing .* made anew/);
    assert.ok(readWalLog(await kept.log.pieces()).segments.every(({ gapFrom }) => gapFrom === undefined));
    await drop('dropped');
  });

  test('a gap is told with the position where it began, and no segment in it is given out', async () => {
    const kept = await keep({ slot: 'gap' });
    const first = new RunningCapture(kept.resource, kept.log);
    const end = await first.caughtUp(cluster);
    await first.stop();
    const stored = readWalLog(await kept.log.pieces()).segments.at(-1)?.end ?? end;
    await drop('gap');
    await outrun();
    const second = new RunningCapture(kept.resource, kept.log);
    await second.caughtUp(cluster);
    await write(3);
    await second.caughtUp(cluster);
    await second.stop();
    assert.match(second.warnings.join(), new RegExp(`stored up to ${formatLsn(stored)}.*make one now`));
    const log = readWalLog(await kept.log.pieces());
    const after = log.segments.find(({ gapFrom }) => gapFrom !== undefined);
    assert.equal(after?.gapFrom, stored);
    assert.equal(after?.isPartial, false);
    assert.equal(after?.piece.facts.gapBefore, true);
    const begin = after?.start ?? 0n;
    for (const lsn of [stored, stored + BigInt(SEGMENT), begin - 1n])
      assert.throws(() => planSegment(log, segmentName(1, lsn, SEGMENT), { upToGap: false }), { code: 'wal-gap' });
    const name = segmentName(1, stored, SEGMENT);
    assert.equal(planSegment(log, name, { upToGap: true }).kind, 'end');
    assert.equal(planSegment(log, segmentName(1, begin, SEGMENT), { upToGap: false }).kind, 'whole');
    const third = new RunningCapture(kept.resource, kept.log);
    await third.caughtUp(cluster);
    await third.stop();
    assert.deepEqual(third.warnings, []);
    await drop('gap');
  });

  test('a slot that the server gave up is made anew, and the gap is told', async () => {
    const kept = await keep({ slot: 'given_up' });
    const first = new RunningCapture(kept.resource, kept.log);
    await first.caughtUp(cluster);
    await first.stop();
    await cluster.query(`ALTER SYSTEM SET max_slot_wal_keep_size = '2MB'`);
    await cluster.query('SELECT pg_reload_conf()');
    await outrun();
    await eventually(async () => {
      await cluster.query('CHECKPOINT');
      const [slot] = await cluster.query(`SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'given_up'`);
      return slot?.wal_status === 'lost';
    }, 'the server did not give the slot up');
    const strict = {
      ...kept.resource,
      configuration: { ...kept.resource.configuration, wal: { slot: 'given_up', createSlot: false } },
    };
    const refused = new RunningCapture(strict, kept.log);
    await refused.ended;
    assert.match(String(refused.failure), /given up by the server .*pg_drop_replication_slot/);
    await cluster.query(`ALTER SYSTEM SET max_slot_wal_keep_size = -1`);
    await cluster.query('SELECT pg_reload_conf()');
    const second = new RunningCapture(kept.resource, kept.log);
    await second.caughtUp(cluster);
    await second.stop();
    assert.match(second.warnings.join('\n'), /had given up the replication slot "given_up"/);
    assert.match(second.warnings.join('\n'), /WAL is missing: the log is stored up to/);
    await drop('given_up');
  });

  test('the WAL of another cluster is not stored, and both are named', async () => {
    const kept = await keep({ slot: 'foreign' });
    const first = new RunningCapture(kept.resource, kept.log);
    await first.caughtUp(cluster);
    await first.stop();
    await drop('foreign');
    const other = await WalCluster.create();
    try {
      const pieces = await kept.log.pieces();
      const moved = { ...kept.resource, configuration: { connection: other.connection() } };
      const capture = new RunningCapture(moved, kept.log);
      await capture.ended;
      const [own] = await cluster.query('SELECT system_identifier::text AS id FROM pg_control_system()');
      const [found] = await other.query('SELECT system_identifier::text AS id FROM pg_control_system()');
      assert.match(String(capture.failure), new RegExp(`${own?.id}.*${found?.id}`));
      assert.deepEqual(await kept.log.pieces(), pieces);
      assert.deepEqual(await other.query('SELECT * FROM pg_replication_slots'), []);
    } finally {
      await other.remove();
    }
  });

  test('a server that was set back to an earlier state on the same timeline is refused, behind the log and past it', async () => {
    const copy = await cluster.copy(['-X', 'stream']);
    try {
      const kept = await keep({ slot: 'diverged' });
      const first = new RunningCapture(kept.resource, kept.log);
      await first.caughtUp(cluster);
      await cluster.query('CREATE TABLE told AS SELECT 1 AS one');
      await first.caughtUp(cluster);
      await first.stop();
      await drop('diverged');
      const pieces = await kept.log.pieces();
      await copy.start();
      const moved = {
        ...kept.resource,
        configuration: { ...kept.resource.configuration, connection: copy.connection() },
      };
      const behind = new RunningCapture(moved, kept.log);
      await behind.ended;
      assert.match(String(behind.failure), /stored up to .* and the server is at .*Nothing more is stored/);
      await copy.query('CREATE TABLE other AS SELECT i FROM generate_series(1, 30000) i');
      const past = new RunningCapture(moved, kept.log);
      await past.ended;
      assert.match(String(past.failure), /differs from what is stored|has already been removed|is not in the log/);
      assert.deepEqual(await kept.log.pieces(), pieces);
    } finally {
      await copy.remove();
    }
  });

  test('what is missing at the server is told with what to set', async () => {
    await cluster.query(`CREATE ROLE plain LOGIN PASSWORD 'sup3r-secret-of-tests'`);
    const plain = await failureOf(await keep({ slot: 'plain' }, cluster.connection({ user: 'plain' })));
    assert.equal(plain.code, 'replication-not-permitted');
    assert.match(plain.message, /ALTER ROLE plain REPLICATION/);

    for (const name of ['one', 'two', 'three'])
      await cluster.query(`SELECT pg_create_physical_replication_slot('${name}')`);
    const full = await failureOf(await keep({ slot: 'four' }));
    assert.equal(full.code, 'replication-slots-exhausted');
    assert.match(full.message, /max_replication_slots/);
    for (const name of ['one', 'two', 'three']) await drop(name);

    const missing = await failureOf(await keep({ slot: 'absent', createSlot: false }));
    assert.equal(missing.code, 'replication-slot-unusable');

    const kept = await keep({ slot: 'shared' });
    const capture = new RunningCapture(kept.resource, kept.log);
    await capture.caughtUp(cluster);
    const taken = await failureOf(await keep({ slot: 'shared' }));
    assert.equal(taken.code, 'replication-slot-in-use');
    await assert.rejects(dropReplicationSlot(kept.resource, resolveTestSecret), { code: 'replication-slot-in-use' });
    await capture.stop();
    assert.equal(await dropReplicationSlot(kept.resource, resolveTestSecret), true);
    assert.equal(await dropReplicationSlot(kept.resource, resolveTestSecret), false);

    await cluster.configure(['wal_level = minimal', 'max_wal_senders = 0', 'archive_mode = off']);
    await cluster.stop();
    await cluster.start();
    const minimal = await failureOf(await keep({ slot: 'minimal' }));
    assert.equal(minimal.code, 'wal-level-too-low');
    assert.match(minimal.message, /wal_level = replica/);
  });
});
