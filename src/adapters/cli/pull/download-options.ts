import { type Command, Option } from 'commander';
import { usageError } from '../exit-codes.ts';
import { gathered } from '../option-values.ts';

/** Which download is meant, and what of it. */
export interface DownloadOptions {
  at?: string;
  backup?: string;
  tables?: string;
  database?: string;
  path?: string[];
  mode?: string;
  seal?: string;
}

/** The options of all commands that choose a download. */
export function addDownloadOptions(command: Command): Command {
  return command
    .option('--at <time>', 'the newest that was complete by then: latest, a date, a time, or how long ago (7d)')
    .option('--backup <id>', 'this very one')
    .option('--tables <names>', 'only these tables, separated by commas')
    .option('--database <name>', 'of a backup that holds several databases')
    .option('--path <path>', 'only what is at or below it, of files (repeatable)', gathered)
    .addOption(
      new Option('--mode <mode>', 'of SQL: into an empty database, or in place of what is there').choices([
        'create',
        'replace',
      ]),
    )
    .addOption(
      new Option('--seal <seal>', 'SQL as it was backed up, for clients other than psql and mysql').choices([
        'full',
        'none',
      ]),
    );
}

/** @throws HoldfastError `choice-ambiguous` */
export function requireOneBackup({ at, backup }: DownloadOptions): void {
  if (at !== undefined && backup !== undefined)
    throw usageError('choice-ambiguous', 'Give --at or --backup, not both.');
}

/** A time as the service reads it: `7d` is seven days ago. */
export function timeAsked(at: string | undefined): string | undefined {
  return at?.replace(/^(?=\d+[mhdw]$)/, '-');
}
