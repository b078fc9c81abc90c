import { type Command, Option } from 'commander';
import type { Application } from '../../../core/application.ts';
import { BACKUP_TYPES, type Backup, type BackupType } from '../../../core/backup.ts';
import type { BackupFilter } from '../../../core/ports/catalogue.ts';
import type { Column } from '../../../reports/table.ts';
import { allBackups, typedTime } from '../choose-backup.ts';
import type { CommandSession } from '../command-session.ts';
import { count, formatBytes, formatTime, localTimeZone } from '../formatting.ts';
import { wholeNumber } from '../option-values.ts';

interface ListOptions {
  resource?: string;
  type?: BackupType;
  tag?: string;
  from?: string;
  until?: string;
  limit?: number;
}

export function define(command: Command, session: CommandSession): void {
  command
    .option('--resource <id>', 'only backups of this resource')
    .addOption(new Option('--type <type>', 'only of this type').choices(BACKUP_TYPES))
    .option('--tag <name[=value]>', 'only with this tag')
    .option('--from <time>', 'only made at or after this time')
    .option('--until <time>', 'only made before this time')
    .option('--limit <number>', 'the newest so many', wholeNumber(1))
    .action((options: ListOptions) => list(session, options));
}

async function list(session: CommandSession, options: ListOptions): Promise<void> {
  const filter = filterOf(options);
  const application = await session.application();
  const backups: Backup[] = [];
  for await (const backup of allBackups(application, filter)) {
    if (options.limit !== undefined && backups.length >= options.limit) break;
    backups.push(backup);
  }
  if (backups.length === 0) await warnOfUnknownBackups(session, application);
  const empty = Object.keys(filter).length > 0 ? 'No backups fit.' : 'No backups. "holdfast backup PATH" makes one.';
  session.output.table({ backups }, backupColumns(), backups, empty);
}

/** Whoever lost the catalogue must not read that there are no backups. */
async function warnOfUnknownBackups(session: CommandSession, application: Application): Promise<void> {
  if ((await application.backups.list({}, { limit: 1 })).items.length > 0) return;
  for (const { id, location } of await application.repositories.list()) {
    const { unknown } = await application.repositories.compare(id);
    if (unknown === 0) continue;
    const what = `${location} holds ${count(unknown, 'backup')} that the catalogue does not know`;
    session.output.warn(`${what}. "holdfast recover" brings them into it.`);
  }
}

function filterOf(options: ListOptions): BackupFilter {
  return {
    ...(options.resource === undefined ? {} : { resourceId: options.resource }),
    ...(options.type === undefined ? {} : { type: options.type }),
    ...(options.tag === undefined ? {} : { tag: options.tag }),
    ...(options.from === undefined ? {} : { from: typedTime(options.from, '--from') }),
    ...(options.until === undefined ? {} : { until: typedTime(options.until, '--until') }),
  };
}

/** What a list of backups shows of each, for people. */
export function backupColumns(): Column<Backup>[] {
  return [
    { heading: 'ID', value: (backup) => backup.id },
    { heading: `Created (${localTimeZone()})`, value: (backup) => formatTime(backup.createdAt) },
    { heading: 'Resource', value: (backup) => backup.resourceId },
    { heading: 'Type', value: (backup) => backup.type },
    { heading: 'Size', value: ({ size, statistics }) => formatBytes(statistics.contentBytes ?? size), align: 'right' },
    { heading: 'Stored', value: (backup) => formatBytes(backup.statistics.storedBytes), align: 'right' },
    { heading: 'Tags', value: (backup) => tagsText(backup) },
    { heading: 'Notes', value: (backup) => notesOn(backup).join(', ') },
  ];
}

export function tagsText(backup: Backup): string {
  return Object.entries(backup.metadata.tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function notesOn(backup: Backup): string[] {
  const notes: string[] = [];
  if (backup.status === 'damaged') notes.push('DAMAGED');
  if (backup.held) notes.push('held');
  if (!backup.encrypted) notes.push('not encrypted');
  if (backup.warningCount > 0) notes.push(count(backup.warningCount, 'warning'));
  return notes;
}
