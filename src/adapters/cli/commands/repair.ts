import type { Command } from 'commander';
import type { RepairReport } from '../../../core/ports/repository-repair.ts';
import type { Storage } from '../../../core/ports/storage.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode } from '../exit-codes.ts';
import { count, formatBytes, formatDuration } from '../formatting.ts';
import { gathered } from '../option-values.ts';
import { startProgress } from '../progress-display.ts';

interface RepairOptions {
  dryRun?: boolean;
  from?: string[];
  repository?: string;
}

const ABOUT = `
Rebuilds the index, fetches damaged packs from copies (--from), saves what is left of the others, and makes a backup beside
each that misses something, which names what that is. Nothing that may be of use is deleted: see quarantine/ in the repository.
Backups may run meanwhile; the next one of the same data stores again what is lost here.`;

export function define(command: Command, session: CommandSession): void {
  command
    .option('--dry-run', 'only tell what would be done')
    .option('--from <place>', 'folder or s3://bucket/prefix of a copy of this repository; may be repeated', gathered)
    .option('--repository <id>', 'id of the repository (default: the one for new backups)')
    .addHelpText('after', ABOUT)
    .action((options: RepairOptions) => repair(session, options));
}

async function repair(session: CommandSession, options: RepairOptions): Promise<void> {
  const application = await session.application();
  const id = options.repository ?? (await application.repositories.list())[0]?.id ?? 'default';
  const dryRun = options.dryRun === true;
  session.deed = { action: 'repository.repair', subject: id, details: { dryRun } };
  const replicas: Storage[] = [];
  const display = startProgress('repair', session.output.options);
  let report: RepairReport;
  try {
    for (const folder of options.from ?? []) replicas.push(await session.composition.openReplica(folder));
    report = await application.repositories.repair(id, {
      dryRun,
      replicas,
      signal: session.signal,
      report: (progress) => display.report(progress),
    });
  } finally {
    display.end();
    for (const replica of replicas) await replica.close();
  }
  if (report.incomplete.length > 0) session.exitCode = ExitCode.damageFound;
  session.output.result({ repositoryId: id, ...report }, () => reportLines(id, report));
}

function reportLines(id: string, report: RepairReport): string[] {
  const time = formatDuration(report.durationMilliseconds);
  if (report.findings.length === 0 && report.steps.length === 0)
    return [`Repository ${id}: nothing is damaged (${time}).`];
  const verb = report.dryRun ? 'would be done' : 'done';
  return [
    `Repository ${id}: ${count(report.findings.length, 'finding')}, ${count(report.steps.length, 'step')} ${verb} (${time}).`,
    ...report.steps.map(({ action, object, message }) => `  ${action}: ${object}: ${printable(message)}`),
    ...report.incomplete.map(
      ({ snapshotId, missingBytes, derivedId }) =>
        `  INCOMPLETE: ${snapshotId} misses ${formatBytes(missingBytes)}${derivedId === undefined ? '' : `; what is left is in ${derivedId}`}`,
    ),
  ];
}
