import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backup } from '../src/core/backup.ts';
import type { LogPiece } from '../src/core/ports/resource-log.ts';
import { ownedSubfolder } from './postgresql-cluster-server.ts';
import { PhysicalRig } from './postgresql-physical-rig.ts';
import { completed } from './postgresql-rig.ts';
import { SERVER_PROGRAMS, SKIP_REASON } from './postgresql-server.ts';

describe('the recovery of a restored cluster', { skip: SKIP_REASON, timeout: 1_200_000 }, () => {
  let rig: PhysicalRig;
  let backup: Backup;
  let restoreCommand: string;
  /** For each row: when it was committed, by which transaction, and where the WAL ended then. */
  const rows: { time: string; transaction: string; lsn: string }[] = [];
  let targets = 0;

  before(async () => {
    rig = await PhysicalRig.create(SERVER_PROGRAMS ?? '', { settings: ['archive_mode = on'] });
    const archive = await ownedSubfolder(rig.folder, 'archive');
    restoreCommand = `cp "${archive}/%f" "%p"`;
    await rig.server.sql(`ALTER SYSTEM SET archive_command = 'test ! -f "${archive}/%f" && cp "%p" "${archive}/%f"'`);
    await rig.server.sql('SELECT pg_reload_conf(); CREATE TABLE numbered (id int PRIMARY KEY)');
    backup = await rig.backUp(await rig.resource());
    for (let id = 1; id <= 12; id++) {
      const [row] = await rig.server.sql(
        `INSERT INTO numbered VALUES (${id}) RETURNING pg_current_xact_id()::text AS transaction`,
      );
      await sleep(15);
      const [now] = await rig.server.sql(`SELECT pg_current_wal_lsn()::text AS lsn,
        to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time`);
      rows.push({ ...now, ...row } as (typeof rows)[number]);
      if (id === 6) await rig.server.sql(`SELECT pg_create_restore_point('the middle')`);
      await sleep(15);
      if (id % 5 === 0) await rig.server.sql('SELECT pg_switch_wal()');
    }
    await archiveAll();
  });
  after(() => rig.remove());

  async function archiveAll(): Promise<void> {
    const last = await rig.server.value('SELECT pg_walfile_name(pg_switch_wal())');
    for (let tries = 0; tries < 600; tries++) {
      const done = await rig.server.value('SELECT last_archived_wal FROM pg_stat_archiver');
      if (done >= last) return;
      await sleep(100);
    }
    assert.fail('the server does not archive');
  }

  /** The rows that are there when a restored server has recovered. */
  async function rowsAt(options: Record<string, unknown>): Promise<number> {
    const target = rig.place(`recovered-${++targets}`);
    completed(await rig.restore(backup, { target, restoreCommand, archiving: 'off', ...options }));
    const restored = await rig.startRestored(target);
    try {
      for (let tries = 0; tries < 300; tries++) {
        if ((await restored.value('SELECT pg_is_in_recovery()')) === 'false') break;
        if (options.action === 'pause' && (await restored.value('SELECT pg_is_wal_replay_paused()')) === 'true') break;
        await sleep(100);
      }
      return Number(await restored.value('SELECT count(*) FROM numbered'));
    } finally {
      await restored.stop();
    }
  }

  test('ends at a time, a transaction, an LSN, a named point, the end of the log and the end of the backup', async () => {
    const at = (id: number) => rows[id - 1]!;
    assert.equal(await rowsAt({ recoverTo: { time: at(3).time } }), 3);
    assert.equal(await rowsAt({ recoverTo: { time: at(11).time }, timeline: 'current' }), 11);
    assert.equal(await rowsAt({ recoverTo: { transactionId: at(5).transaction } }), 5);
    assert.equal(await rowsAt({ recoverTo: { transactionId: at(5).transaction }, inclusive: false }), 4);
    assert.equal(await rowsAt({ recoverTo: { lsn: at(9).lsn } }), 9);
    assert.equal(await rowsAt({ recoverTo: { name: 'the middle' }, action: 'pause' }), 6);
    assert.equal(await rowsAt({ recoverTo: 'latest' }), 12);
    assert.equal(await rowsAt({ recoverTo: 'immediate' }), 0);
  });

  test('can be backed up and recovered again, to another target than the first time', async () => {
    const first = rig.place('first');
    completed(
      await rig.restore(backup, {
        target: first,
        restoreCommand,
        archiving: 'off',
        recoverTo: { time: rows[2]!.time },
      }),
    );
    const restored = await (await rig.startRestored(first)).promoted();
    const resourceId = await rig.resource({ connection: { ...rig.server.connection(), ...restored.place } });
    const again = await rig.backUp(resourceId);
    await restored.stop();
    const second = rig.place('second');
    completed(await rig.restore(again, { target: second }));
    const settings = await readFile(path.join(second, 'postgresql.auto.conf'), 'utf8');
    assert.match(settings, /archive_command/);
    assert.doesNotMatch(settings, /^recovery_target(_time)? = /m);
    const server = await rig.startRestored(second);
    assert.equal(await server.value('SELECT count(*) FROM numbered'), '3');
  });

  test('asks this Holdfast for WAL where the resource has a log, and follows a point in time exactly', async () => {
    const reader = await rig.managed.repository.openSnapshot(backup.id);
    const moment = rows[7]!.time;
    try {
      const log = {
        // One that holds no WAL: of that, a restore looks only whether there is any behind the moment.
        pieces: async () => [
          { id: 'any', facts: { kind: 'file', name: '1.history' }, completedAt: moment } as unknown as LogPiece,
        ],
        open: () => assert.fail('this restore reads no log'),
        read: () => assert.fail('this restore reads no log'),
      };
      const context = { backup, chain: [{ backup, reader }], options: { target: rig.place('asked') }, log, moment };
      const silent = { report: () => undefined, warn: () => undefined, signal: new AbortController().signal };
      const { report } = await rig.service.restore({ ...context, ...silent });
      assert.deepEqual(report.recoverTo, { time: moment });
      const settings = await readFile(path.join(rig.place('asked'), 'postgresql.auto.conf'), 'utf8');
      assert.match(
        settings,
        new RegExp(`restore_command = 'holdfast wal-get --resource ${backup.resourceId} "%f" "%p"'`),
      );
      assert.ok(settings.includes(`recovery_target_time = '${moment.replace('T', ' ').replace('Z', '+00')}'`));
    } finally {
      await reader.close();
    }
  });

  test('says that a point in time without a log is the end of the newest backup before it', async () => {
    const { restores } = rig.managed.application;
    const { operation } = await restores.restorePointInTime({
      resourceId: backup.resourceId,
      timestamp: new Date().toISOString(),
      createdBy: 'test',
      options: { target: rig.place('no log'), dryRun: true },
    });
    assert.equal(operation.backupId, backup.id);
    completed(await rig.ended(operation));
    const reader = await rig.managed.repository.openSnapshot(backup.id);
    try {
      const told: string[] = [];
      const context = { backup, chain: [{ backup, reader }], options: { target: rig.place('no log'), dryRun: true } };
      const silent = { report: () => undefined, signal: new AbortController().signal };
      const moment = new Date().toISOString();
      const warn = (message: string) => void told.push(message);
      const { report } = await rig.service.restore({ ...context, ...silent, warn, moment });
      assert.equal(report.recoverTo, 'immediate');
      assert.match(told.join(), /has no log.*newest backup before it/);
    } finally {
      await reader.close();
    }
  });
});
