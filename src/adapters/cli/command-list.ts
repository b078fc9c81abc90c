import type { Command } from 'commander';
import type { CommandSession } from './command-session.ts';
import { ExitCode } from './exit-codes.ts';

/** A command before its file is loaded: enough for the overview of `holdfast --help`. */
export interface CommandSummary {
  name: string;
  summary: string;
  /** Every failure of the command ends with this code, a wrong command line too. */
  failureExitCode?: number;
  load(): Promise<CommandModule>;
}

/** What each file in `commands/` exports. */
export interface CommandModule {
  /** Adds arguments, options and the action to an empty command of the right name. */
  define(command: Command, session: CommandSession): void;
}

/** Every command in the order of the overview. Files are loaded on demand, so that a command starts quickly. */
export const COMMANDS: readonly CommandSummary[] = [
  { name: 'serve', summary: 'run the service: API, schedules, cleanup', load: () => import('./commands/serve.ts') },
  { name: 'backup', summary: 'back up paths, or a stream from stdin', load: () => import('./commands/backup.ts') },
  { name: 'restore', summary: 'give a backup back', load: () => import('./commands/restore.ts') },
  { name: 'list', summary: 'list backups', load: () => import('./commands/list.ts') },
  { name: 'show', summary: 'show one backup and what is in it', load: () => import('./commands/show.ts') },
  { name: 'diff', summary: 'show what changed between two backups', load: () => import('./commands/diff.ts') },
  { name: 'find', summary: 'find files in backups', load: () => import('./commands/find.ts') },
  { name: 'pull', summary: "download a developer's copy from a service", load: () => import('./commands/pull.ts') },
  { name: 'ticket', summary: 'make a URL for one download', load: () => import('./commands/ticket.ts') },
  { name: 'variant', summary: 'keep masked and reduced copies', load: () => import('./commands/variant.ts') },
  { name: 'resource', summary: 'set up and test what is backed up', load: () => import('./commands/resource.ts') },
  {
    name: 'schedule',
    summary: 'let backups and drills start by themselves',
    load: () => import('./commands/schedule.ts'),
  },
  { name: 'retention', summary: 'say how long backups are kept', load: () => import('./commands/retention.ts') },
  { name: 'policy', summary: 'write and check masking policies', load: () => import('./commands/policy.ts') },
  { name: 'verify', summary: 'check that backups can be restored', load: () => import('./commands/verify.ts') },
  { name: 'drill', summary: 'prove by a restore that backups restore', load: () => import('./commands/drill.ts') },
  { name: 'repair', summary: 'mend what is damaged', load: () => import('./commands/repair.ts') },
  { name: 'forget', summary: 'remove backups by id or by rules', load: () => import('./commands/forget.ts') },
  { name: 'prune', summary: 'remove what no backup needs', load: () => import('./commands/prune.ts') },
  { name: 'trash', summary: 'list forgotten backups, bring them back', load: () => import('./commands/trash.ts') },
  { name: 'copy', summary: 'keep second copies of backups elsewhere', load: () => import('./commands/copy.ts') },
  { name: 'key', summary: 'manage what opens a repository', load: () => import('./commands/key.ts') },
  { name: 'token', summary: "manage the API's credentials", load: () => import('./commands/token.ts') },
  { name: 'user', summary: 'manage who signs in with a password', load: () => import('./commands/user.ts') },
  {
    name: 'recover',
    summary: 'rebuild the catalogue from a repository and a key',
    load: () => import('./commands/recover.ts'),
  },
  {
    name: 'adopt',
    summary: "take another tool's backups into the repository",
    load: () => import('./commands/adopt.ts'),
  },
  { name: 'wal-push', summary: 'store a WAL file (archive_command)', load: () => import('./commands/wal-push.ts') },
  {
    name: 'wal-get',
    summary: 'fetch a WAL file (restore_command)',
    // A server takes 1 to 125 for "the log has no such file" and ends its recovery there: no failure may look like that.
    failureExitCode: ExitCode.recoveryMustStop,
    load: () => import('./commands/wal-get.ts'),
  },
  { name: 'notify', summary: 'test where notifications are sent', load: () => import('./commands/notify.ts') },
  { name: 'doctor', summary: 'check the installation', load: () => import('./commands/doctor.ts') },
  { name: 'completion', summary: 'print a shell completion script', load: () => import('./commands/completion.ts') },
];
