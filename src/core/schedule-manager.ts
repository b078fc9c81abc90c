import { Cron } from 'croner';
import type { ScheduleManager } from './application.ts';
import type { BackupType } from './backup.ts';
import { requireMoments } from './drill-moment.ts';
import { HoldfastError, messageOf } from './errors.ts';
import { requireUsableId } from './identifier.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import type { Service } from './ports/service.ts';
import { requireResource } from './required-rows.ts';
import { requireTimeZone } from './retention.ts';
import type { Schedule } from './schedule.ts';
import { drillOf, parseAssertions, requireBackupType } from './service-registry.ts';

/** Keeps schedules; the `Scheduler` of the running service carries them out. */
export class CatalogueScheduleManager implements ScheduleManager {
  readonly #context: ManagerContext;
  readonly #onChange: () => void;

  /** @param onChange told after each change made through this manager */
  constructor(context: ManagerContext, onChange: () => void) {
    this.#context = context;
    this.#onChange = onChange;
  }

  /** @throws HoldfastError `schedule-not-found` (not-found) */
  async get(id: string): Promise<Schedule> {
    const schedule = await this.#context.catalogue.schedules.get(id);
    if (schedule !== undefined) return this.#withNextRun(schedule);
    const message = `There is no schedule "${id}". List them with GET /schedules or "holdfast schedule list".`;
    throw new HoldfastError('not-found', 'schedule-not-found', message, { details: { scheduleId: id } });
  }

  async list(): Promise<readonly Schedule[]> {
    return (await this.#context.catalogue.schedules.list()).map((schedule) => this.#withNextRun(schedule));
  }

  /** @throws HoldfastError `cron-invalid`, `time-zone-unknown`, `schedule-fields-mixed`, `assertions-invalid` (invalid); `resource-is-posted` (conflict) */
  async put(schedule: {
    id?: string;
    resourceId: string;
    cron: string;
    timeZone?: string;
    kind?: 'backup' | 'drill';
    type?: BackupType;
    which?: 'newest' | 'random';
    moment?: 'newest' | 'random';
    assertions?: readonly unknown[];
    enabled?: boolean;
  }): Promise<Schedule> {
    const { catalogue, clock, nextId, services } = this.#context;
    const id = schedule.id ?? nextId('schedule');
    requireUsableId(id, 'schedule');
    const timeZone = schedule.timeZone ?? 'UTC';
    requireTimeZone(timeZone);
    requireCron(schedule.cron, timeZone, clock.now());
    const service = services.get((await requireResource(this.#context, schedule.resourceId)).service);
    const what = schedule.kind === 'drill' ? await drillFields(service, schedule) : backupFields(service, schedule);
    const before = await catalogue.schedules.get(id);
    const now = clock.now().toISOString();
    const row: Schedule = {
      ...(before?.lastRunAt === undefined ? {} : { lastRunAt: before.lastRunAt }),
      ...(before?.lastOperationId === undefined ? {} : { lastOperationId: before.lastOperationId }),
      id,
      resourceId: schedule.resourceId,
      cron: schedule.cron,
      timeZone,
      ...what,
      enabled: schedule.enabled ?? true,
      createdAt: before?.createdAt ?? now,
      updatedAt: now,
    };
    await catalogue.schedules.put(row);
    this.#onChange();
    return this.#withNextRun(row);
  }

  async delete(id: string): Promise<void> {
    await this.get(id);
    await this.#context.catalogue.schedules.delete(id);
    this.#onChange();
  }

  async recordRun(id: string, { id: lastOperationId, createdAt }: Operation): Promise<void> {
    await this.#context.catalogue.schedules.recordRun(id, { lastRunAt: createdAt, lastOperationId });
  }

  /** Worked out when asked for, so that it is never out of date. */
  #withNextRun(schedule: Schedule): Schedule {
    const { nextRunAt: _stored, ...rest } = schedule;
    const next = schedule.enabled ? nextRun(schedule.cron, schedule.timeZone, this.#context.clock.now()) : undefined;
    return next === undefined ? rest : { ...rest, nextRunAt: next.toISOString() };
  }
}

interface ScheduledWork {
  resourceId: string;
  type?: BackupType;
  which?: 'newest' | 'random';
  moment?: 'newest' | 'random';
  assertions?: readonly unknown[];
}

function backupFields(
  service: Service,
  { resourceId, type = 'full', which, moment, assertions }: ScheduledWork,
): Pick<Schedule, 'type'> {
  if (which !== undefined || moment !== undefined || assertions !== undefined)
    throw mixed('`which`, `moment` and `assertions` are of schedules of drills');
  if (service.source === 'posted') throw cannotBeScheduled(resourceId, service.name);
  requireBackupType(service, type);
  return { type };
}

async function drillFields(
  service: Service,
  { type, which, moment, assertions = [] }: ScheduledWork,
): Promise<Pick<Schedule, 'kind' | 'which' | 'moment' | 'assertions'>> {
  if (type !== undefined) throw mixed('`type` is of schedules of backups');
  drillOf(service);
  const parsed = await parseAssertions(service, assertions);
  const isOfMoment = moment !== undefined && moment !== 'newest';
  if (isOfMoment) requireMoments(service, which);
  const choice = isOfMoment ? { moment } : { which: which ?? 'newest' };
  return { kind: 'drill', ...choice, ...(parsed.length === 0 ? {} : { assertions: parsed }) };
}

function mixed(what: string): HoldfastError {
  const message = `${what}. Leave them away, or say by \`kind\` what the schedule is to start.`;
  return new HoldfastError('invalid', 'schedule-fields-mixed', message, { details: { field: 'kind' } });
}

/** When a cron expression is next due after `from`; undefined for never. */
export function nextRun(cron: string, timeZone: string, from: Date): Date | undefined {
  const job = new Cron(cron, { timezone: timeZone, paused: true, mode: '5-or-6-parts' });
  return job.nextRun(from) ?? undefined;
}

/** @throws HoldfastError `cron-invalid` (invalid) for what is no cron expression or is never due */
export function requireCron(cron: string, timeZone: string, now: Date): void {
  let next: Date | undefined;
  let cause: unknown;
  try {
    next = nextRun(cron, timeZone, now);
  } catch (error) {
    cause = error;
  }
  if (next !== undefined) return;
  const reason = cause === undefined ? 'It is never due.' : `${plainReason(cause)}.`;
  throw new HoldfastError(
    'invalid',
    'cron-invalid',
    `The cron expression "${cron}" cannot be used. ${reason} Use five fields (minute, hour, day, month, weekday) such as "30 2 * * *", six with seconds first, or "@daily".`,
    { cause, details: { field: 'cron' } },
  );
}

/** Without the name of the parser's class before it, and the full stop behind it; how many fields there are is said by Holdfast. */
function plainReason(cause: unknown): string {
  return messageOf(cause)
    .replace(/^\w+: /, '')
    .replace(/^invalid configuration format.*/, 'It has not five or six fields')
    .replace(/\.+$/, '');
}

function cannotBeScheduled(resourceId: string, service: string): HoldfastError {
  return new HoldfastError(
    'conflict',
    'resource-is-posted',
    `"${resourceId}" cannot be scheduled: its ${service} content is posted, so Holdfast cannot fetch it. Post it by a cron job of your own.`,
    { details: { resourceId, service } },
  );
}
