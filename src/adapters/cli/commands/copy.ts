import type { Command } from 'commander';
import type { CopyOverview, CopySync } from '../../../core/copy-overview.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode } from '../exit-codes.ts';
import { count, formatBytes, formatDuration } from '../formatting.ts';
import { gathered } from '../option-values.ts';
import { startProgress } from '../progress-display.ts';

interface SyncOptions {
  backup?: string[];
  dryRun?: boolean;
  allowForgetMost?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  command
    .command('list')
    .description('List the configured copies: whether they can be reached, and how far they are behind.')
    .action(() => listCopies(session));
  command
    .command('init')
    .description('Make a copy where it is configured: an empty repository with a master key of its own.')
    .argument('<copy>', 'id of the copy in holdfast.yaml')
    .action((id: string) => initCopy(session, id));
  command
    .command('sync')
    .description('Bring copies in line with the repository. The running service does it by itself.')
    .argument('[copy...]', 'ids of copies in holdfast.yaml (default: all)')
    .option('--backup <id>', 'only this backup and its bases; may be repeated', gathered)
    .option('--dry-run', 'only tell what would be done')
    .option('--allow-forget-most', 'forget in the copy what the repository forgot, even if that is most of it')
    .action((ids: string[], options: SyncOptions) => syncCopies(session, ids, options));
}

async function listCopies(session: CommandSession): Promise<void> {
  const copies = await (await session.application()).copies.list();
  session.output.table<CopyOverview>(
    { copies },
    [
      { heading: 'ID', value: ({ id }) => id },
      { heading: 'Place', value: ({ location }) => location },
      { heading: 'State', value: ({ state }) => state },
      { heading: 'Backups', value: ({ backups }) => String(backups ?? '') },
      { heading: 'Behind', value: ({ behind }) => String(behind ?? '') },
      { heading: 'Size', value: ({ bytes }) => (bytes === undefined ? '' : formatBytes(bytes)) },
    ],
    copies,
    'No copies are configured. docs/configuration.md tells how.',
  );
  for (const { id, problem } of copies) if (problem !== undefined) session.output.note(`${id}: ${printable(problem)}`);
}

async function initCopy(session: CommandSession, id: string): Promise<void> {
  session.deed = { action: 'copy.init', subject: id };
  await (await session.application()).copies.init(id);
  session.output.result({ made: id }, () => [`Made the copy ${id}; "holdfast copy sync ${id}" fills it.`]);
}

async function syncCopies(session: CommandSession, ids: readonly string[], options: SyncOptions): Promise<void> {
  const { copies } = await session.application();
  const wanted = ids.length > 0 ? ids : (await copies.list()).map(({ id }) => id);
  session.deed = { action: 'copy.sync', details: { copyIds: wanted } };
  const syncs: CopySync[] = [];
  for (const id of wanted) {
    const display = startProgress(`sync ${id}`, session.output.options);
    try {
      syncs.push(
        await copies.sync(id, {
          ...(options.backup === undefined ? {} : { backupIds: options.backup }),
          dryRun: options.dryRun === true,
          allowForgetMost: options.allowForgetMost === true,
          signal: session.signal,
          report: (progress) => display.report(progress),
        }),
      );
    } finally {
      display.end();
    }
  }
  if (syncs.some(({ failed }) => failed.length > 0)) session.exitCode = ExitCode.damageFound;
  session.output.result({ syncs }, () =>
    syncs.length === 0 ? ['No copies are configured. docs/configuration.md tells how.'] : syncs.flatMap(syncLines),
  );
}

function syncLines({ copyId, dryRun, ...sync }: CopySync): string[] {
  const verb = dryRun ? 'would be copied' : 'copied';
  const size = dryRun ? '' : ` (${formatBytes(sync.bytes)} in ${formatDuration(sync.durationMilliseconds)})`;
  const lines = [
    `Copy ${copyId}: ${count(sync.copied.length, 'backup')} ${verb}${size}, ${sync.present} there before.`,
  ];
  if (sync.updated > 0) lines.push(`  ${count(sync.updated, 'backup')} described anew.`);
  if (sync.forgotten.length > 0)
    lines.push(`  ${count(sync.forgotten.length, 'backup')} forgotten, as in the repository; they stay in its trash.`);
  const { copied, present, forgotten } = sync.kept;
  if (copied + present + forgotten > 0)
    lines.push(
      `  Pieces of logs and kept variants beside them: ${copied} ${verb}, ${present} there before, ${forgotten} gone as in the repository.`,
    );
  for (const { snapshotId, message } of sync.failed) lines.push(`  NOT COPIED: ${snapshotId}: ${printable(message)}`);
  return lines;
}
