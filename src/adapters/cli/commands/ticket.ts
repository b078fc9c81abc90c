import { type Command, Option } from 'commander';
import { DOWNLOAD_FORMATS } from '../../../core/download-format.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode } from '../exit-codes.ts';
import { formatTime, localTimeZone } from '../formatting.ts';
import { addServiceOptions, type ServiceOptions, withService } from '../pull/called-service.ts';
import { addDownloadOptions, type DownloadOptions, requireOneBackup, timeAsked } from '../pull/download-options.ts';

interface TicketOptions extends ServiceOptions, DownloadOptions {
  variant?: string;
  reason?: string;
  format?: string;
}

export function define(command: Command, session: CommandSession): void {
  const choosing = addServiceOptions(command.argument('<resource>', 'what it is to download'))
    .option('--variant <name>', 'which masked or reduced copy; "raw", the data itself, needs a reason')
    .option('--reason <text>', 'what for; the audit log of the service keeps it')
    .addOption(new Option('--format <name>', 'another one of the formats that there are').choices(DOWNLOAD_FORMATS));
  addDownloadOptions(choosing)
    .addHelpText('after', HELP_AFTER)
    .action((resource: string, options: TicketOptions) => ticket(session, resource, options));
}

const HELP_AFTER = `
  curl -fsS "$(holdfast ticket shop)" | psql shop
Prints a URL that gives one download of just that, once and within minutes, to whoever has it: keep it out of chats and logs.
Exit codes: ${ExitCode.success} here it is, ${ExitCode.refused} you are not known or may not have it, ${ExitCode.notFound} there is no such thing (or not for you), ${ExitCode.failure} anything else.`;

function ticket(session: CommandSession, resource: string, options: TicketOptions): Promise<void> {
  requireOneBackup(options);
  return withService(session, options, async ({ server }) => {
    const made = await server.ticket(requestOf(resource, options), session.signal);
    const { url, backupCreatedAt, variant, expiresAt } = made;
    session.output.result({ ticket: made }, () => [url]);
    session.output.note(
      `${resource} of ${printable(backupCreatedAt)} (${printable(variant)}), once, until ${formatTime(expiresAt)} (${localTimeZone()}). Whoever has this URL can have it.`,
    );
  });
}

function requestOf(resource: string, options: TicketOptions): Record<string, unknown> {
  const { variant, backup, at, reason, format, tables, database, path: paths, mode, seal } = options;
  const named = {
    ...{ resource, variant, backup, reason, format, database, paths, mode, seal },
    at: timeAsked(at),
    tables: tables?.split(',').filter((name) => name !== ''),
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}
