import { type Command, Option } from 'commander';
import { DOWNLOAD_FORMATS } from '../../../core/download-format.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { formatTime } from '../formatting.ts';
import { gathered } from '../option-values.ts';
import { addServiceOptions, type ServiceOptions, withService } from '../pull/called-service.ts';

interface TicketOptions extends ServiceOptions {
  at?: string;
  snapshot?: string;
  variant?: string;
  reason?: string;
  format?: string;
  mode?: string;
  seal?: string;
  tables?: string;
  database?: string;
  path?: string[];
}

export function define(command: Command, session: CommandSession): void {
  addServiceOptions(command.argument('<resource>', 'what it is to download'))
    .option('--variant <name>', 'which masked or reduced copy; "raw", the data itself, needs a reason')
    .option('--snapshot <id>', 'this very one; default: the newest')
    .option('--at <time>', 'the newest that was complete by then: a date, a time, or how long ago (7d)')
    .option('--reason <text>', 'what for; the audit log of the service keeps it')
    .addOption(new Option('--format <name>', 'another one of the formats that there are').choices(DOWNLOAD_FORMATS))
    .option('--tables <names>', 'only these tables, separated by commas')
    .option('--database <name>', 'of a backup that holds several databases')
    .option('--path <path>', 'only what is at or below it, of files (repeatable)', gathered)
    .addOption(
      new Option('--mode <mode>', 'of SQL: into an empty database, or in place of what is there').choices([
        'create',
        'replace',
      ]),
    )
    .addOption(new Option('--seal <seal>', 'SQL as it was backed up, for other clients').choices(['full', 'none']))
    .addHelpText('after', HELP_AFTER)
    .action((resource: string, options: TicketOptions) => ticket(session, resource, options));
}

const HELP_AFTER = `
  curl -fsS "$(holdfast ticket shop)" | psql shop
Prints a URL that gives one download of just that, once and within minutes, to whoever has it: keep it out of chats and logs.
Exit codes: ${ExitCode.success} here it is, ${ExitCode.refused} you are not known or may not have it, ${ExitCode.notFound} there is no such thing (or not for you), ${ExitCode.failure} anything else.`;

function ticket(session: CommandSession, resource: string, options: TicketOptions): Promise<void> {
  if (options.at !== undefined && options.snapshot !== undefined)
    throw usageError('choice-ambiguous', 'Give --at or --snapshot, not both.');
  return withService(session, options, async ({ server }) => {
    const made = await server.ticket(requestOf(resource, options), session.signal);
    const { url, backupCreatedAt, variant, expiresAt } = made;
    session.output.result({ ticket: made }, () => [url]);
    session.output.note(
      `${resource} of ${printable(backupCreatedAt)} (${printable(variant)}), once, until ${formatTime(expiresAt)}. Whoever has this URL can have it.`,
    );
  });
}

function requestOf(resource: string, options: TicketOptions): Record<string, unknown> {
  const { variant, snapshot: backup, at, reason, format, tables, database, path: paths, mode, seal } = options;
  const named = {
    ...{ resource, variant, backup, reason, format, database, paths, mode, seal },
    at: at?.replace(/^(?=\d+[mhdw]$)/, '-'),
    tables: tables?.split(',').filter((name) => name !== ''),
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}
