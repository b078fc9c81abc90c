import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import type { Drill, DrillVerdict } from '../../../core/drill.ts';
import { evidenceHash } from '../../../core/drill-evidence.ts';
import { drillReport } from '../../../reports/drill-report.ts';
import { typedMoment } from '../choose-backup.ts';
import type { CommandSession } from '../command-session.ts';
import { drillLines, followDrill, tellDrill } from '../drill-outcome.ts';
import { usageError } from '../exit-codes.ts';
import { formatDuration, formatTime, localTimeZone } from '../formatting.ts';
import { parseAssertions, wholeNumber } from '../option-values.ts';

interface RunOptions {
  backup?: string;
  random?: boolean;
  moment?: string;
  assertions?: string;
}

interface ListOptions {
  resource?: string;
  outcome?: DrillVerdict;
  limit: number;
}

export function define(command: Command, session: CommandSession): void {
  command
    .command('run')
    .description('Restore a backup into a throw-away target and compare it with what was backed up.')
    .argument('<resource>', 'whose backup is restored: the newest one, unless said otherwise')
    .option('--backup <id>', 'this backup')
    .option('--random', 'any completed backup')
    .option(
      '--moment <moment>',
      'where a log is kept: replay it to this time, or to a "random" moment that it covers, instead of its end',
    )
    .option('--assertions <json>', "what must hold of the restored data, beside the resource's own assertions")
    .action((resourceId: string, options: RunOptions) => runDrill(session, resourceId, options));
  command
    .command('list')
    .description('List drills, newest first.')
    .option('--resource <id>', 'of this resource')
    .addOption(new Option('--outcome <outcome>', 'that ended so').choices(['passed', 'failed', 'impossible']))
    .option('--limit <number>', 'at most so many', wholeNumber(1), 50)
    .action((options: ListOptions) => listDrills(session, options));
  command
    .command('show')
    .description('Show the evidence of a drill.')
    .argument('<drill>', 'id of the drill')
    .option('--html <file>', 'write it as a page of HTML to read, print or file')
    .action((id: string, options: { html?: string }) => showDrill(session, id, options));
}

async function runDrill(session: CommandSession, resourceId: string, options: RunOptions): Promise<void> {
  const { backup: backupId, random } = options;
  const moment = options.moment === undefined ? undefined : typedDrillMoment(options.moment);
  if (backupId !== undefined && random === true)
    throw usageError('backup-and-random', '--backup and --random exclude each other.');
  const assertions = options.assertions === undefined ? [] : parseAssertions(options.assertions);
  const application = await session.application();
  session.deed = {
    action: 'drill.create',
    subject: resourceId,
    details: { random: random === true, backupId, moment },
  };
  const started = await application.drills.start({
    resourceId,
    ...(random === true ? { which: 'random' } : {}),
    ...(backupId === undefined ? {} : { backupId }),
    ...(moment === undefined ? {} : { moment }),
    assertions,
    createdBy: session.actor,
  });
  tellDrill(session, await followDrill(application, started, session));
}

function typedDrillMoment(text: string): string {
  return text === 'newest' || text === 'random' ? text : typedMoment(text, '--moment');
}

async function listDrills(session: CommandSession, { resource, outcome, limit }: ListOptions): Promise<void> {
  const { drills } = await session.application();
  const filter = {
    ...(resource === undefined ? {} : { resourceId: resource }),
    ...(outcome === undefined ? {} : { outcome }),
  };
  const found: Drill[] = [];
  for (let cursor: string | undefined; found.length < limit; ) {
    const page = await drills.list(filter, {
      limit: Math.min(500, limit - found.length),
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === undefined) break;
  }
  session.output.table<Drill>(
    { drills: found },
    [
      { heading: 'ID', value: ({ id }) => id },
      { heading: `When (${localTimeZone()})`, value: ({ completedAt }) => formatTime(completedAt) },
      { heading: 'Resource', value: ({ resourceId }) => resourceId },
      { heading: 'Outcome', value: (drill) => drill.outcome },
      { heading: 'Checks', value: ({ checks }) => String(checks.length), align: 'right' },
      {
        heading: 'Recovery time',
        value: ({ recoveryTimeMilliseconds: time }) => (time === undefined ? '' : formatDuration(time)),
        align: 'right',
      },
      { heading: 'Backup', value: ({ backup }) => backup.id },
    ],
    found,
    'There are no such drills. "holdfast drill run RESOURCE" makes one.',
  );
}

async function showDrill(session: CommandSession, id: string, { html }: { html?: string }): Promise<void> {
  const drill = await (await session.application()).drills.get(id);
  if (html !== undefined) await writeWhole(path.resolve(html), drillReport(drill, evidenceHash(drill)));
  session.output.result({ drill, ...(html === undefined ? {} : { html: path.resolve(html) }) }, () =>
    html === undefined ? drillLines(drill) : [`Wrote ${path.resolve(html)}.`],
  );
}

/** The file appears whole or not at all. */
async function writeWhole(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.new`;
  try {
    await writeFile(unfinished, text, { flag: 'wx' });
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
