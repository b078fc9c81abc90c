import { type Command, Option } from 'commander';
import { BACKUP_TYPES, type BackupType } from '../../../core/backup.ts';
import { HoldfastError, unlessNotFound } from '../../../core/errors.ts';
import type { Schedule } from '../../../core/schedule.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { usageError } from '../exit-codes.ts';
import { parseAssertions } from '../option-values.ts';
import { noteMissingService } from '../schedule/missing-service.ts';
import { nextRunWords, scheduledWork } from '../schedule/schedule-words.ts';

interface ChangeOptions {
  resource?: string;
  cron?: string;
  timeZone?: string;
  kind?: 'backup' | 'drill';
  type?: BackupType;
  which?: 'newest' | 'random';
  moment?: 'newest' | 'random';
  assertions?: string;
}

type AddOptions = ChangeOptions & { resource: string; cron: string; disabled?: boolean };
type SetOptions = ChangeOptions & { enable?: boolean; disable?: boolean };

export function define(command: Command, session: CommandSession): void {
  const named = (name: string, description: string) =>
    command.command(name).description(description).argument('<schedule>', 'id of the schedule');
  command
    .command('list')
    .description('List what starts by itself, with its next and its last run.')
    .option('--resource <id>', 'of this resource')
    .action(async ({ resource }: { resource?: string }) => {
      const { listSchedules } = await import('../schedule/show-schedules.ts');
      return listSchedules(session, resource);
    });
  named('show', 'Show what a schedule starts, when, and how its last run ended.').action(async (id: string) => {
    const { showSchedule } = await import('../schedule/show-schedules.ts');
    return showSchedule(session, id);
  });
  addWorkOptions(
    named('add', 'Let backups or restore drills of a resource start by themselves.')
      .requiredOption('--resource <id>', 'what it is of')
      .requiredOption('--cron <expression>', CRON),
  )
    .option('--disabled', 'let it wait for "holdfast schedule set ID --enable"')
    .addHelpText('after', ADD_HELP)
    .action((id: string, options: AddOptions) => addSchedule(session, id, options));
  addWorkOptions(
    named('set', 'Change a schedule; what is not said stays as it is.')
      .option('--resource <id>', 'what it is of')
      .option('--cron <expression>', CRON),
  )
    .addOption(new Option('--enable', 'let it run again').conflicts('disable'))
    .option('--disable', 'let it rest')
    .action((id: string, options: SetOptions) => setSchedule(session, id, options));
  named('remove', 'Remove a schedule. What runs already goes on, and backups stay.').action((id: string) =>
    removeSchedule(session, id),
  );
  named('run-now', 'Do what a schedule is for at once, here, and wait for the end.')
    .addHelpText('after', RUN_HELP)
    .action(async (id: string) => {
      const { runNow } = await import('../schedule/run-now.ts');
      return runNow(session, id);
    });
}

const CRON = 'when: minute, hour, day, month, weekday; or @daily and its like';

const ADD_HELP = `
The running service carries schedules out; nothing starts without it. It makes up once for what was due while it did not run.

Examples:
  holdfast schedule add shop-nightly --resource shop-pg --cron '30 2 * * *' --time-zone Europe/Berlin
  holdfast schedule add home-hourly --resource home --cron @hourly --type incremental
  holdfast schedule add prove-shop --resource shop-pg --cron '0 6 * * sun' --kind drill --which random`;

const RUN_HELP = `
It runs in this process, so what the configuration names by env:NAME must be in its environment. The next run stays when it is.
A disabled schedule can be run as well.`;

function addWorkOptions(command: Command): Command {
  return command
    .option('--time-zone <zone>', 'where the expression is read, for instance Europe/Berlin (default: UTC)')
    .addOption(new Option('--kind <kind>', 'what it starts (default: backup)').choices(['backup', 'drill']))
    .addOption(new Option('--type <type>', 'of backups: what to read (default: full)').choices(BACKUP_TYPES))
    .addOption(
      new Option('--which <backup>', 'of drills: which backup is restored (default: newest)').choices([
        'newest',
        'random',
      ]),
    )
    .addOption(
      new Option('--moment <moment>', 'of drills where a log is kept: what it is replayed to').choices([
        'newest',
        'random',
      ]),
    )
    .option('--assertions <json>', "of drills: what must hold of the restored data, beside the resource's own");
}

async function addSchedule(session: CommandSession, id: string, options: AddOptions): Promise<void> {
  const work = workOf(options);
  const { schedules } = await session.application();
  session.deed = { action: 'schedule.put', subject: id, details: { resourceId: options.resource, cron: options.cron } };
  const before = await unlessNotFound(schedules.get(id));
  if (before !== undefined) throw scheduleExists(before);
  const { resource: resourceId, cron, timeZone } = options;
  const schedule = await schedules.put({
    ...work,
    id,
    resourceId,
    cron,
    ...(timeZone === undefined ? {} : { timeZone }),
    enabled: options.disabled !== true,
  });
  await tellChange(session, 'Added', schedule);
}

async function setSchedule(session: CommandSession, id: string, options: SetOptions): Promise<void> {
  if (Object.keys(options).length === 0)
    throw usageError('settings-missing', 'Say what to change: --cron, --time-zone, --type, --disable …');
  const work = workOf(options);
  const { schedules } = await session.application();
  const { resource: resourceId, cron, timeZone, enable, disable } = options;
  session.deed = { action: 'schedule.put', subject: id, details: { resourceId, cron, enable, disable } };
  const before = await schedules.get(id);
  const schedule = await schedules.put({
    ...keptWork(before, options),
    ...work,
    id,
    resourceId: resourceId ?? before.resourceId,
    cron: cron ?? before.cron,
    timeZone: timeZone ?? before.timeZone,
    enabled: enable === true || (disable !== true && before.enabled),
  });
  await tellChange(session, 'Changed', schedule);
}

async function removeSchedule(session: CommandSession, id: string): Promise<void> {
  session.deed = { action: 'schedule.delete', subject: id };
  await (await session.application()).schedules.delete(id);
  session.output.result({ removed: id }, () => [`Removed ${id}.`]);
}

type Work = Pick<Schedule, 'kind' | 'type' | 'which' | 'moment'> & { assertions?: readonly unknown[] };

function workOf({ kind, type, which, moment, assertions }: ChangeOptions): Work {
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(type === undefined ? {} : { type }),
    ...(which === undefined ? {} : { which }),
    ...(moment === undefined ? {} : { moment }),
    ...(assertions === undefined ? {} : { assertions: parseAssertions(assertions) }),
  };
}

/** What is said of backups means nothing to drills, and the other way about; of drills, a backup and a moment exclude each other. */
function keptWork(before: Schedule, change: ChangeOptions): Work {
  const { kind = 'backup', type, which, moment, assertions } = before;
  if (change.kind !== undefined && change.kind !== kind) return { kind: change.kind };
  const isChosenAnew = change.which !== undefined || change.moment !== undefined;
  return {
    kind,
    ...(type === undefined ? {} : { type }),
    ...(which === undefined || isChosenAnew ? {} : { which }),
    ...(moment === undefined || isChosenAnew ? {} : { moment }),
    ...(assertions === undefined ? {} : { assertions }),
  };
}

async function tellChange(session: CommandSession, done: string, schedule: Schedule): Promise<void> {
  const { id, resourceId, cron, timeZone, nextRunAt } = schedule;
  session.output.result({ schedule }, () => [
    printable(`${done} ${id}: ${scheduledWork(schedule)} of ${resourceId}, ${cron} (${timeZone}).`),
    `Next run: ${nextRunWords(schedule)}.`,
  ]);
  if (nextRunAt === undefined) return;
  await noteMissingService(session);
  session.output.note(`"holdfast schedule run-now ${id}" does it at once.`);
}

function scheduleExists(schedule: Schedule): HoldfastError {
  const { id, resourceId } = schedule;
  return new HoldfastError(
    'conflict',
    'schedule-exists',
    `There is a schedule "${id}" already: ${scheduledWork(schedule)} of ${resourceId}. "holdfast schedule set ${id}" changes it; give the new one another id.`,
    { details: { scheduleId: id, resourceId } },
  );
}
