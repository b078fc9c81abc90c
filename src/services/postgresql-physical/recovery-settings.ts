import { HoldfastError } from '../../core/errors.ts';
import type { RecordedCluster } from './recorded-cluster.ts';
import type { RecoveryTarget, RestoreOptions } from './restore-options.ts';
import { parseLsn } from './wal-position.ts';

/** Whence the restored server gets WAL: a command, or only what is in the backup. */
export interface RecoveryPlan {
  target: RecoveryTarget;
  /** undefined: the backup's own WAL is all there is */
  command: string | undefined;
}

/**
 * @throws HoldfastError `recovery-needs-log` (invalid), `recovery-target-too-early` (conflict)
 */
export function planRecovery(
  { recoverTo, inclusive }: RestoreOptions,
  command: string | undefined,
  cluster: RecordedCluster,
  backupId: string,
): RecoveryPlan {
  const target = recoverTo ?? (command === undefined ? 'immediate' : 'latest');
  if (command === undefined && target !== 'immediate')
    throw new HoldfastError(
      'invalid',
      'recovery-needs-log',
      `There is no WAL beyond that of ${backupId} itself, so it restores to its own end only (\`recoverTo: "immediate"\`). For other moments, the resource needs a log, or this restore a \`restoreCommand\` that gives the WAL.`,
    );
  if (isTooEarly(target, inclusive, cluster))
    throw new HoldfastError(
      'conflict',
      'recovery-target-too-early',
      `${backupId} is consistent from ${cluster.stoppedAt} (${cluster.stopLsn}) on, and the target lies before. Restore the backup that ended last before the target: "holdfast list" and GET /backups show them.`,
      { details: { stoppedAt: cluster.stoppedAt, stopLsn: cluster.stopLsn } },
    );
  return { target, command };
}

function isTooEarly(target: RecoveryTarget, inclusive: boolean, { stoppedAt, stopLsn }: RecordedCluster): boolean {
  if (typeof target === 'string') return false;
  if ('time' in target) {
    const [wanted, stopped] = [microsecondsOf(target.time), microsecondsOf(stoppedAt)];
    return inclusive ? wanted < stopped : wanted <= stopped;
  }
  return 'lsn' in target && parseLsn(target.lsn) < parseLsn(stopLsn);
}

/** Since 1970; dates themselves have milliseconds only. */
export function microsecondsOf(time: string): bigint {
  const [, date = '', clock = '', , seconds = '', fraction = '', zone = ''] =
    /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:(\d\d))?(?:[.,](\d+))?(Z|[+-]\d\d(?::?\d\d)?)$/i.exec(time) ?? [];
  const hours = zone.slice(0, 3);
  const offset = /^z$/i.test(zone) ? 'Z' : `${hours}:${zone.length > 3 ? zone.slice(-2) : '00'}`;
  const whole = Date.parse(`${date}T${clock}:${seconds || '00'}${offset}`);
  return BigInt(whole) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'));
}

/** Settings that make the server recover, for `postgresql.auto.conf`, where the last one of a name wins. */
export function recoverySettings(
  { target, command }: RecoveryPlan,
  { inclusive, action, timeline, archiving }: RestoreOptions,
): readonly (readonly [name: string, value: string])[] {
  return [
    // Without a command the server would not begin; this one has nothing to give.
    ['restore_command', command ?? 'false'],
    // The WAL of a backup ends where the backup does. As a target, that could be missed where a standby was its source.
    ...(command === undefined && action === 'promote' ? [] : targetSetting(target)),
    ['recovery_target_inclusive', String(inclusive)],
    ['recovery_target_timeline', String(timeline)],
    ['recovery_target_action', action],
    ...(archiving === 'off' ? [['archive_mode', 'off'] as const] : []),
  ];
}

function targetSetting(target: RecoveryTarget): readonly [name: string, value: string][] {
  if (target === 'latest') return [];
  if (target === 'immediate') return [['recovery_target', target]];
  if ('time' in target) return [['recovery_target_time', target.time.replace(/t/i, ' ').replace(/z$/i, '+00')]];
  if ('transactionId' in target) return [['recovery_target_xid', target.transactionId]];
  if ('lsn' in target) return [['recovery_target_lsn', target.lsn]];
  return [['recovery_target_name', target.name]];
}

/** `postgresql.auto.conf` with the settings at its end, and without those of earlier recoveries. */
export function withSettings(
  file: string,
  settings: readonly (readonly [name: string, value: string])[],
  comment: string,
): string {
  // A second target, even an empty one, would keep the server from starting.
  const kept = file
    .split('\n')
    .filter((line) => !/^\s*(restore_command|recovery_target\w*)\b/i.test(line) && !line.startsWith(MARK));
  while (kept.at(-1) === '') kept.pop();
  const added = settings.map(([name, value]) => `${name} = '${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`);
  return `${[...kept, `${MARK}${comment}`, ...added].join('\n')}\n`;
}

const MARK = '# Holdfast: ';
