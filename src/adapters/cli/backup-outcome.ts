import type { Application } from '../../core/application.ts';
import type { Backup } from '../../core/backup.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Operation } from '../../core/operation.ts';
import type { CommandSession } from './command-session.ts';
import { ExitCode } from './exit-codes.ts';
import { followOperation } from './follow-operation.ts';
import { count, formatBytes, formatDuration } from './formatting.ts';

/** Waits, as `followOperation` does, for the backup that an operation makes. */
export async function followBackup(
  application: Application,
  operation: Operation,
  session: CommandSession,
): Promise<Backup> {
  const ended = await followOperation(application, operation, session);
  const backupId = ended.backupId ?? ended.result?.backupId;
  if (typeof backupId === 'string') return application.backups.get(backupId);
  throw new HoldfastError('internal', 'backup-unnamed', `Operation ${ended.id} ended without naming its backup.`);
}

/** Tells what a backup that was made holds, and by the exit code whether something could not be read. */
export function tellBackup(session: CommandSession, backup: Backup): void {
  for (const warning of backup.warnings) session.output.warn(warning);
  if (backup.warningCount > backup.warnings.length) {
    session.output.warn(`${backup.warningCount - backup.warnings.length} more warnings are not listed.`);
  }
  if (isPartial(backup)) session.exitCode = ExitCode.partial;
  session.output.result({ backup }, () => summaryLines(backup));
}

/** True where something could not be read. That another type was made than asked for warns once too and is no loss. */
function isPartial(backup: Backup): boolean {
  return backup.warningCount > (backup.requestedType === undefined ? 0 : 1);
}

function summaryLines(backup: Backup): string[] {
  const { statistics } = backup;
  const lines = [`${backup.id}  ${backup.type} backup of ${backup.resourceId}`];
  if (statistics.files) {
    const { total, new: fresh, changed, unmodified } = statistics.files;
    lines.push(`  ${count(total, 'file')}: ${fresh} new, ${changed} changed, ${unmodified} unmodified`);
  }
  const rate = statistics.readBytes / Math.max(0.001, statistics.durationMilliseconds / 1000);
  lines.push(
    `  ${formatBytes(backup.size)} in all; ${formatBytes(statistics.newBytes)} new, ${formatBytes(statistics.storedBytes)} stored`,
    `  in ${formatDuration(statistics.durationMilliseconds)}, ${formatBytes(Math.round(rate))}/s read`,
  );
  return lines;
}
