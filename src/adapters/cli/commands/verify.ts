import { type Command, InvalidArgumentError } from 'commander';
import type { Application } from '../../../core/application.ts';
import type { CheckBudget, CheckFinding, CheckLevel, CheckReport } from '../../../core/ports/repository-check.ts';
import { printable } from '../../../reports/table.ts';
import { chooseBackup } from '../choose-backup.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode } from '../exit-codes.ts';
import { count, formatBytes, formatDuration } from '../formatting.ts';
import { wholeNumber } from '../option-values.ts';
import { startProgress } from '../progress-display.ts';

/** From here on packs are read, in threads. */
const FIRST_LEVEL_OF_PACKS = 3;
const LEVELS = `
Levels, each with all before it:
  0  settings and snapshots can be read        3  every pack has the bytes it was written with
  1  every pack is there                       4  every chunk can be decrypted and unpacked
  2  every tree is whole (default)`;

export function define(command: Command, session: CommandSession): void {
  command
    .argument('[backup...]', 'only what these backups need (default: everything)')
    .option('--level <0-4>', 'how deep to look', checkLevel, 2)
    .option('--max-age-days <days>', 'at level 3 and 4: leave out packs verified less long ago', wholeNumber(0))
    .option('--max-duration-minutes <minutes>', 'at level 3 and 4: begin no pack after this time', wholeNumber(1))
    .option('--max-percent <percent>', 'at level 3 and 4: read this part, longest unverified first', wholeNumber(1))
    .addHelpText('after', LEVELS)
    .action((references: string[], options: VerifyOptions) => verify(session, references, options));
}

interface VerifyOptions {
  level: CheckLevel;
  maxAgeDays?: number;
  maxDurationMinutes?: number;
  maxPercent?: number;
}

type RepositoryReport = CheckReport & { repositoryId: string };

async function verify(session: CommandSession, references: readonly string[], options: VerifyOptions): Promise<void> {
  const { level } = options;
  const application = await session.application(undefined, { startThreads: level >= FIRST_LEVEL_OF_PACKS });
  session.deed = { action: 'repository.verify', details: { level, backupIds: references.slice(0, 100) } };
  const reports: RepositoryReport[] = [];
  for (const [repositoryId, backupIds] of await backupsByRepository(application, references)) {
    reports.push({ repositoryId, ...(await verifyOne(session, application, repositoryId, backupIds, options)) });
  }
  const findings = reports.flatMap((report) => report.findings);
  if (findings.some(({ severity }) => severity === 'damage')) session.exitCode = ExitCode.damageFound;
  else if (findings.some(({ severity }) => severity === 'unsupported')) session.exitCode = ExitCode.failure;
  session.output.result({ ok: session.exitCode === 0, reports }, () => reports.flatMap(reportLines));
}

async function verifyOne(
  session: CommandSession,
  application: Application,
  repositoryId: string,
  backupIds: readonly string[] | undefined,
  { level, ...limits }: VerifyOptions,
): Promise<CheckReport> {
  const display = startProgress('verify', session.output.options);
  try {
    return await application.repositories.verify(repositoryId, {
      level,
      ...(backupIds === undefined ? {} : { backupIds }),
      ...budgetOf(limits),
      signal: session.signal,
      report: (progress) => display.report(progress),
    });
  } finally {
    display.end();
  }
}

function budgetOf({ maxAgeDays, maxDurationMinutes, maxPercent }: Omit<VerifyOptions, 'level'>): {
  budget?: CheckBudget;
} {
  const budget = {
    ...(maxAgeDays === undefined ? {} : { maxAgeMilliseconds: maxAgeDays * 86_400_000 }),
    ...(maxDurationMinutes === undefined ? {} : { maxDurationMilliseconds: maxDurationMinutes * 60_000 }),
    ...(maxPercent === undefined ? {} : { maxFraction: Math.min(1, maxPercent / 100) }),
  };
  return Object.keys(budget).length === 0 ? {} : { budget };
}

/** Which repositories to check, and what of each; undefined for all of it. */
async function backupsByRepository(
  application: Application,
  references: readonly string[],
): Promise<Map<string, string[] | undefined>> {
  const wanted = new Map<string, string[] | undefined>();
  for (const reference of references) {
    const backup = await chooseBackup(application, reference);
    wanted.set(backup.repositoryId, [...(wanted.get(backup.repositoryId) ?? []), backup.id]);
  }
  if (references.length === 0) for (const { id } of await application.repositories.list()) wanted.set(id, undefined);
  return wanted;
}

function reportLines(report: RepositoryReport): string[] {
  const { snapshots, packs, chunks, bytes } = report.checked;
  const readsPacks = report.level >= FIRST_LEVEL_OF_PACKS;
  const ofPacks = readsPacks
    ? [count(packs, 'pack'), count(chunks, 'chunk'), formatBytes(bytes)]
    : ['no pack was read'];
  const what = [count(snapshots, 'backup'), ...ofPacks];
  const damage = report.findings.filter(({ severity }) => severity === 'damage').length;
  const verdict = damage === 0 ? 'no damage found' : `DAMAGE FOUND in ${count(damage, 'place')}`;
  const duration = formatDuration(report.durationMilliseconds);
  return [
    `Repository ${report.repositoryId}, level ${report.level}: ${verdict} (${what.join(', ')}; ${duration}).`,
    ...report.findings.flatMap(findingLines),
    ...(readsPacks ? [] : ['  "holdfast verify --level 4" reads and decrypts everything.']),
  ];
}

function findingLines(finding: CheckFinding): string[] {
  const lines = [`  ${finding.severity}: ${finding.object}: ${printable(finding.message)} [${finding.code}]`];
  if (finding.snapshotIds?.length) lines.push(`    hits ${finding.snapshotIds.join(', ')}`);
  return lines;
}

function checkLevel(text: string): CheckLevel {
  if (/^[0-4]$/.test(text)) return Number(text) as CheckLevel;
  throw new InvalidArgumentError('It must be 0, 1, 2, 3 or 4.');
}
