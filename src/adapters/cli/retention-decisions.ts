import type { RetentionPlan } from '../../core/application.ts';
import type { Backup } from '../../core/backup.ts';
import type { CommandSession } from './command-session.ts';
import { backupColumns } from './commands/list.ts';
import { count } from './formatting.ts';

/** Tells what rules keep of resources' backups and why, and what they forget or would forget. */
export function tellDecisions(session: CommandSession, plans: readonly RetentionPlan[], dryRun: boolean): void {
  const forgotten = plans.flatMap(({ forget }) => forget);
  const kept = plans.flatMap(({ keep }) => keep);
  session.output.table<Decision>(
    {
      dryRun,
      forgotten: forgotten.map(({ id }) => id),
      kept: kept.map(({ backup, reasons }) => ({ id: backup.id, reasons })),
    },
    [
      { heading: 'Decision', value: ({ reasons }) => (reasons === undefined ? 'forget' : 'keep') },
      ...backupColumns().map((column) => ({ ...column, value: ({ backup }: Decision) => column.value(backup) })),
      { heading: 'Because', value: ({ reasons }) => (reasons ?? []).join(', ') },
    ],
    decisions(plans),
    'There is nothing to decide: no backups.',
  );
  const verb = dryRun ? 'would be forgotten' : 'forgotten';
  session.output.note(`${count(forgotten.length, 'backup')} ${verb}, ${kept.length} kept.`);
}

interface Decision {
  backup: Backup;
  reasons: readonly string[] | undefined;
}

function decisions(plans: readonly RetentionPlan[]): Decision[] {
  return plans.flatMap(({ keep, forget }) =>
    [...keep, ...forget.map((backup) => ({ backup, reasons: undefined }))].sort((left, right) =>
      left.backup.createdAt < right.backup.createdAt ? 1 : -1,
    ),
  );
}
