import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RecordedCluster } from './recorded-cluster.ts';
import { planRecovery, recoverySettings, withSettings } from './recovery-settings.ts';
import { parseRestoreOptions } from './restore-options.ts';
import { restoreCommand } from './wal-get-command.ts';

const CLUSTER = { stoppedAt: '2026-03-01T12:00:00.500000Z', stopLsn: '1/A0000000' } as RecordedCluster;

function settingsOf(options: Record<string, unknown>, moment?: string): Record<string, string> {
  const parsed = parseRestoreOptions({
    backup: { resourceId: 'cluster' },
    options: { target: '/t', ...options },
    ...(moment === undefined ? {} : { moment }),
  });
  return Object.fromEntries(recoverySettings(planRecovery(parsed, 'get %f %p', CLUSTER, 'backup-1'), parsed));
}

describe('the settings of a recovery', () => {
  test('name one target, and how to get WAL', () => {
    const common = {
      restore_command: 'get %f %p',
      recovery_target_inclusive: 'true',
      recovery_target_timeline: 'latest',
      recovery_target_action: 'promote',
    };
    assert.deepEqual(settingsOf({}), common);
    assert.deepEqual(settingsOf({ recoverTo: 'immediate' }), { ...common, recovery_target: 'immediate' });
    const time = { ...common, recovery_target_time: '2026-03-01 13:00:01.123456+00' };
    assert.deepEqual(settingsOf({ recoverTo: { time: '2026-03-01T13:00:01.123456Z' } }), time);
    assert.deepEqual(settingsOf({}, '2026-03-01T13:00:01.123456Z'), time);
    assert.deepEqual(
      settingsOf({ recoverTo: { transactionId: '777' }, inclusive: false, action: 'pause', timeline: 3 }),
      {
        ...common,
        recovery_target_xid: '777',
        recovery_target_inclusive: 'false',
        recovery_target_action: 'pause',
        recovery_target_timeline: '3',
      },
    );
    assert.equal(settingsOf({ recoverTo: { lsn: '1/a0000001' } }).recovery_target_lsn, '1/a0000001');
    assert.equal(settingsOf({ recoverTo: { name: "it's" } }).recovery_target_name, "it's");
  });

  test('are refused for a target before the end of the backup, to the microsecond and in any zone', () => {
    const early = { code: 'recovery-target-too-early' };
    for (const time of ['2026-03-01T12:00:00.499999Z', '2026-03-01T13:00:00.4+01', '2026-03-01 07:00:00.1-05:00'])
      assert.throws(() => settingsOf({ recoverTo: { time } }), early, time);
    assert.throws(() => settingsOf({ recoverTo: { time: CLUSTER.stoppedAt }, inclusive: false }), early);
    for (const time of [CLUSTER.stoppedAt, '2026-03-01T13:00:00.6+0100'])
      assert.ok(settingsOf({ recoverTo: { time } }).recovery_target_time);
    assert.throws(() => settingsOf({ recoverTo: { lsn: '1/9FFFFFFF' } }), early);
    assert.throws(() => settingsOf({ recoverTo: { lsn: '0/FFFFFFFF' } }), early);
  });

  test('are refused where they say two things, or no exact time', () => {
    const invalid = { code: 'options-invalid' };
    assert.throws(() => settingsOf({ recoverTo: 'latest' }, '2026-03-01T13:00:00Z'), invalid);
    assert.throws(() => settingsOf({}, '2026-03-01T13:00:00'), invalid);
    assert.throws(() => settingsOf({ recoverTo: 'latest', inclusive: false }), invalid);
    for (const recoverTo of [{ time: 'yesterday' }, { lsn: "0/1'; x" }, { name: 'a\nb' }, { transactionId: 7 }, {}])
      assert.throws(() => settingsOf({ recoverTo }), invalid, JSON.stringify(recoverTo));
    assert.throws(() => settingsOf({ restoreCommand: 'a\nfsync = off' }), invalid);
  });

  test('take the place of those of an earlier recovery and leave the others', () => {
    const before = "# by hand\nwork_mem = '8MB'\nrecovery_target_time = 'x'\n  Restore_Command='old'\n";
    const once = withSettings(before, [['restore_command', String.raw`a\b 'c'`]], 'first:');
    assert.equal(once, `# by hand\nwork_mem = '8MB'\n# Holdfast: first:\nrestore_command = 'a\\\\b ''c'''\n`);
    assert.equal(
      withSettings(once, [['restore_command', 'd']], 'second:'),
      "# by hand\nwork_mem = '8MB'\n# Holdfast: second:\nrestore_command = 'd'\n",
    );
  });

  test('quote the words of the command for the shell and for the server', () => {
    assert.equal(
      restoreCommand(['/usr/bin/node', '/my folder/100%/holdfast.js', "it's", '$(x)']),
      `/usr/bin/node '/my folder/100%%/holdfast.js' 'it'\\''s' '$(x)' "%f" "%p"`,
    );
  });
});
