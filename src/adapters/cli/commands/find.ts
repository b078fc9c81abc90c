import type { Command } from 'commander';
import { allBackups, chooseBackup } from '../choose-backup.ts';
import type { CommandSession } from '../command-session.ts';
import { displayPath, pathMembers } from '../entry-path.ts';
import { count, formatTime } from '../formatting.ts';
import { gathered, wholeNumber } from '../option-values.ts';
import { pathMatcher } from '../path-matcher.ts';
import { entryLine } from './show.ts';

interface FindOptions {
  resource?: string;
  backup?: string[];
  limit?: number;
  long?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  command
    .argument('<pattern>', 'glob; without a slash it is matched against names, with one against whole paths')
    .option('--resource <id>', 'only in backups of this resource')
    .option('--backup <id>', 'only in this backup; may be repeated', gathered)
    .option('--limit <number>', 'only in the newest so many backups', wholeNumber(1))
    .option('--long', 'show owner, size and time as well')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast find "*.sql"\n  holdfast find "etc/**/*.conf" --resource web --limit 10',
    )
    .action((pattern: string, options: FindOptions) => find(session, pattern, options));
}

async function find(session: CommandSession, pattern: string, options: FindOptions): Promise<void> {
  const matches = pathMatcher(pattern);
  const application = await session.application();
  session.deed = { action: 'backup.entries', details: { pattern, resourceId: options.resource } };
  const { output } = session;
  const { json } = output.options;
  let found = 0;
  let searched = 0;
  if (json) await output.writePart('{"matches":[');
  for await (const backup of searchedBackups(application, options)) {
    searched++;
    let heading = `${backup.id}  ${formatTime(backup.createdAt)}  ${backup.resourceId}\n`;
    for await (const entry of application.backups.entries(backup.id)) {
      session.signal.throwIfAborted();
      const { path } = pathMembers(entry.path);
      if (!matches(path)) continue;
      if (json) {
        const { type, size } = entry;
        const separator = found === 0 ? '' : ',';
        await output.writePart(
          separator + JSON.stringify({ backupId: backup.id, ...pathMembers(entry.path), type, size }),
        );
      } else {
        await output.writePart(`${heading}  ${options.long ? entryLine(entry) : displayPath(entry.path)}\n`);
        heading = '';
      }
      found++;
    }
  }
  if (json) await output.writePart(`],"searchedBackups":${searched}}\n`);
  else output.note(`${count(found, 'match', 'matches')} in ${count(searched, 'backup')}.`);
}

async function* searchedBackups(application: Parameters<typeof chooseBackup>[0], options: FindOptions) {
  if (options.backup !== undefined) {
    for (const reference of options.backup) yield await chooseBackup(application, reference);
    return;
  }
  let searched = 0;
  const filter = options.resource === undefined ? {} : { resourceId: options.resource };
  for await (const backup of allBackups(application, filter)) {
    if (backup.contentKind !== 'tree') continue;
    if (options.limit !== undefined && searched++ >= options.limit) return;
    yield backup;
  }
}
