import { constants, setPriority } from 'node:os';
import type { Command } from 'commander';
import type { Application } from '../../../core/application.ts';
import type { CollectionReport } from '../../../core/ports/repository-collection.ts';
import type { CommandSession } from '../command-session.ts';
import { count, formatBytes, formatDuration } from '../formatting.ts';
import { startProgress } from '../progress-display.ts';

interface PruneOptions {
  dryRun?: boolean;
  allowEmpty?: boolean;
  rewriteOldKeys?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  command
    .option('--dry-run', 'only tell what would be removed')
    .option('--allow-empty', 'go on though no backup is left')
    .option('--rewrite-old-keys', 'write all that is encrypted under rotated keys again, under the newest key')
    .addHelpText('after', '\nRuns beside backups, restores and the service; nothing needs to be stopped for it.')
    .action((options: PruneOptions) => prune(session, options));
}

type RepositoryReport = CollectionReport & { repositoryId: string };

async function prune(session: CommandSession, options: PruneOptions): Promise<void> {
  // Whatever else runs is more urgent. Threads take it over, so it is said before there are any.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const application = await session.application();
  const dryRun = options.dryRun === true;
  session.deed = { action: 'repository.prune', details: { dryRun } };
  const reports: RepositoryReport[] = [];
  for (const { id } of await application.repositories.list())
    reports.push({ repositoryId: id, ...(await pruneOne(session, application, id, options)) });
  session.output.result({ reports }, () => reports.flatMap(reportLines));
}

async function pruneOne(
  session: CommandSession,
  application: Application,
  id: string,
  options: PruneOptions,
): Promise<CollectionReport> {
  const display = startProgress('prune', session.output.options);
  try {
    return await application.repositories.prune(id, {
      dryRun: options.dryRun === true,
      allowEmpty: options.allowEmpty === true,
      rewriteOldKeys: options.rewriteOldKeys === true,
      signal: session.signal,
      report: (progress) => display.report(progress),
    });
  } finally {
    display.end();
  }
}

function reportLines(report: RepositoryReport): string[] {
  const { repositoryId, outcome, durationMilliseconds } = report;
  const place = `Repository ${repositoryId}`;
  if (outcome === 'lost-race') return [`${place}: another collection is at work; nothing was done here.`];
  const lines = [];
  if (outcome === 'nothing-to-do') lines.push(`${place}: nothing to remove (${formatDuration(durationMilliseconds)}).`);
  else {
    const verb = report.dryRun ? 'would free' : 'freed';
    const packs = `${count(report.packsRemoved, 'pack')}, ${report.packsRepacked} of them rewritten`;
    const time = formatDuration(durationMilliseconds);
    lines.push(`${place}: ${verb} ${formatBytes(report.bytesFreed)} (${packs}; ${time}).`);
  }
  if (report.trashExpired > 0)
    lines.push(`  ${count(report.trashExpired, 'forgotten backup')} left the trash for good.`);
  if (report.packsKept > 0)
    lines.push(`  ${count(report.packsKept, 'pack')} stayed: a backup made meanwhile needs them.`);
  if (report.sealedAgain > 0)
    lines.push(`  ${count(report.sealedAgain, 'description')} of backups sealed again under the newest key.`);
  if (report.oldKeyPacks > 0)
    lines.push(
      `  ${count(report.oldKeyPacks, 'pack')} (${formatBytes(report.oldKeyBytes)}) left under rotated keys; "holdfast prune --rewrite-old-keys" writes them again.`,
    );
  if (report.oldKeyQuarantined > 0)
    lines.push(
      `  ${count(report.oldKeyQuarantined, 'damaged object')} below quarantine/ can be read with rotated keys until somebody deletes what lies there.`,
    );
  if (report.refusedDeletes > 0)
    lines.push(`  ${count(report.refusedDeletes, 'object')} may not be deleted yet; the next prune tries again.`);
  if (report.missingChunks > 0)
    lines.push(`  DAMAGE: ${count(report.missingChunks, 'chunk')} of backups are in no pack. Run "holdfast verify".`);
  return lines;
}
