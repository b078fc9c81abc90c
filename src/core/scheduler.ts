import { Cron } from 'croner';
import type { BackupManager, PolicyManager, StorageManager } from './application.ts';
import type { CopyManager } from './copy-overview.ts';
import type { DrillManager } from './drill-request.ts';
import { messageOf } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import { missedSchedules } from './missed-schedules.ts';
import { hasEnded } from './operation-manager.ts';
import type { Schedule } from './schedule.ts';
import { startScheduledWork } from './scheduled-work.ts';
import type { VariantManager } from './variant.ts';

/** How often the catalogue is asked for schedules that other processes changed. */
const RELOAD_MILLISECONDS = 5_000;
/** The first cleanup waits until the service has started and answered its first callers. */
const FIRST_CLEANUP_MILLISECONDS = 15_000;

/** Lets schedules and the cleanup happen when they are due, in the process that serves. */
export class Scheduler {
  readonly #context: ManagerContext;
  readonly #backups: BackupManager;
  readonly #policies: PolicyManager;
  readonly #repositories: Pick<StorageManager, 'startPrune' | 'startVerify'>;
  readonly #copies: Pick<CopyManager, 'startSync'>;
  readonly #drills: Pick<DrillManager, 'start'>;
  readonly #variants: Pick<VariantManager, 'makeNewestAhead'>;
  /** One that cannot run has no job, so that this is told once and not at each reload. */
  readonly #jobs = new Map<string, { signature: string; job: Cron | undefined }>();
  #cleanup: Cron | undefined;
  #prune: Cron | undefined;
  #scrub: Cron | undefined;
  #copy: Cron | undefined;
  #reload: NodeJS.Timeout | undefined;
  #firstCleanup: NodeJS.Timeout | undefined;
  #reloading: Promise<void> = Promise.resolve();
  #nextReload: Promise<void> | undefined;
  /** By the schedule's id; one that is due again meanwhile is not started twice. */
  readonly #firing = new Map<string, Promise<void>>();
  #cleaning: Promise<void> | undefined;
  /** What goes through repositories and copies, and queues an operation for each. */
  readonly #queueing = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #started = false;

  constructor(
    context: ManagerContext,
    managers: {
      backups: BackupManager;
      policies: PolicyManager;
      repositories: Pick<StorageManager, 'startPrune' | 'startVerify'>;
      copies: Pick<CopyManager, 'startSync'>;
      drills: Pick<DrillManager, 'start'>;
      variants: Pick<VariantManager, 'makeNewestAhead'>;
    },
  ) {
    this.#context = context;
    this.#backups = managers.backups;
    this.#policies = managers.policies;
    this.#repositories = managers.repositories;
    this.#copies = managers.copies;
    this.#drills = managers.drills;
    this.#variants = managers.variants;
  }

  async start(): Promise<void> {
    this.#started = true;
    await this.reload();
    this.#reload = setInterval(() => void this.reload(), RELOAD_MILLISECONDS).unref();
    const { cleanup, prune, scrub, copy, copies } = this.#context.configuration;
    if (copy.enabled && copies.length > 0)
      this.#copy = new Cron(copy.cron, { timezone: copy.timeZone, protect: true, unref: true }, () =>
        this.#untilQueued(this.#syncCopies()),
      );
    if (scrub.enabled)
      this.#scrub = new Cron(scrub.cron, { timezone: scrub.timeZone, protect: true, unref: true }, () =>
        this.#untilQueued(this.#verifySome(scrub.fraction)),
      );
    if (prune.enabled)
      this.#prune = new Cron(prune.cron, { timezone: prune.timeZone, protect: true, unref: true }, () =>
        this.#untilQueued(this.#collect()),
      );
    if (!cleanup.enabled) return;
    const cleanUp = () => {
      const earlier = this.#cleaning;
      this.#cleaning = this.#cleanUp().then(() => earlier);
    };
    this.#cleanup = new Cron(cleanup.cron, { timezone: cleanup.timeZone, protect: true, unref: true }, cleanUp);
    this.#firstCleanup = setTimeout(cleanUp, FIRST_CLEANUP_MILLISECONDS).unref();
  }

  /** Begins nothing any more; resolves when what it was beginning has begun, and the cleanup, which others stop, has ended. */
  async stop(): Promise<void> {
    this.#started = false;
    this.#stopping.abort();
    clearInterval(this.#reload);
    clearTimeout(this.#firstCleanup);
    this.#cleanup?.stop();
    this.#prune?.stop();
    this.#scrub?.stop();
    this.#copy?.stop();
    for (const { job } of this.#jobs.values()) job?.stop();
    this.#jobs.clear();
    await Promise.all([this.#reloading, this.#cleaning, ...this.#queueing, ...this.#firing.values()]);
  }

  /** Brings the jobs in line with the catalogue, one such look after the other; what has not changed runs on. */
  reload(): Promise<void> {
    this.#nextReload ??= this.#reloading.then(() => {
      this.#nextReload = undefined;
      return this.#read();
    });
    this.#reloading = this.#nextReload;
    return this.#reloading;
  }

  async #read(): Promise<void> {
    if (!this.#started) return;
    try {
      const schedules = await this.#context.catalogue.schedules.list();
      if (!this.#started) return;
      const wanted = new Map(schedules.filter(({ enabled }) => enabled).map((schedule) => [schedule.id, schedule]));
      for (const [id, { signature, job }] of this.#jobs) {
        const schedule = wanted.get(id);
        if (schedule !== undefined && signatureOf(schedule) === signature) continue;
        job?.stop();
        this.#jobs.delete(id);
      }
      const unknown = [...wanted.values()].filter(({ id }) => !this.#jobs.has(id));
      void this.#makeUp(unknown.filter((schedule) => this.#begin(schedule)));
    } catch (error) {
      this.#context.logger.error({ err: error }, 'schedules could not be read; those known run on');
    }
  }

  /** @returns whether it can run */
  #begin(schedule: Schedule): boolean {
    const signature = signatureOf(schedule);
    try {
      const job = new Cron(schedule.cron, { timezone: schedule.timeZone, unref: true }, () => this.#fire(schedule.id));
      this.#jobs.set(schedule.id, { signature, job });
      return true;
    } catch (error) {
      this.#jobs.set(schedule.id, { signature, job: undefined });
      this.#context.logger.error({ err: error, scheduleId: schedule.id }, 'a schedule cannot run');
      return false;
    }
  }

  /** What was due while nobody served, or before this process saw that it was changed, happens now, once. */
  async #makeUp(begun: readonly Schedule[]): Promise<void> {
    const { clock, logger } = this.#context;
    try {
      for (const { id, lastRunAt } of missedSchedules(begun, clock.now())) {
        if (!this.#started) return;
        logger.warn({ scheduleId: id, lastRunAt }, 'a schedule was due before this service knew of it: it runs now');
        await this.#fire(id);
      }
    } catch (error) {
      logger.error({ err: error }, 'missed schedules could not be made up for');
    }
  }

  #fire(id: string): Promise<void> {
    let firing = this.#firing.get(id);
    if (firing === undefined) {
      firing = this.#start(id).finally(() => this.#firing.delete(id));
      this.#firing.set(id, firing);
    }
    return firing;
  }

  async #start(id: string): Promise<void> {
    const { catalogue, clock, logger, notifier } = this.#context;
    let schedule: Schedule | undefined;
    try {
      schedule = await catalogue.schedules.get(id);
      if (schedule === undefined || !schedule.enabled) return;
      if (await this.#stillRuns(schedule)) {
        logger.warn(
          { scheduleId: id, operationId: schedule.lastOperationId },
          'a schedule is due while what it started last still runs: skipped',
        );
        return;
      }
      const managers = { backups: this.#backups, drills: this.#drills };
      const operation = await startScheduledWork(managers, schedule, `schedule:${id}`);
      const lastRunAt = clock.now().toISOString();
      await catalogue.schedules.recordRun(id, { lastRunAt, lastOperationId: operation.id });
    } catch (error) {
      const kind = schedule?.kind ?? 'backup';
      logger.error({ err: error, scheduleId: id }, `a scheduled ${kind} could not be started`);
      await notifier.notify({
        type: `${kind}-failed`,
        subject: schedule?.resourceId ?? id,
        message: `The schedule ${id} could not start its ${kind}: ${messageOf(error)}`,
        details: { scheduleId: id },
      });
    }
  }

  async #stillRuns(schedule: Schedule): Promise<boolean> {
    if (schedule.lastOperationId === undefined) return false;
    const last = await this.#context.catalogue.operations.get(schedule.lastOperationId);
    return last !== undefined && !hasEnded(last);
  }

  #untilQueued(queueing: Promise<void>): Promise<void> {
    this.#queueing.add(queueing);
    return queueing.finally(() => this.#queueing.delete(queueing));
  }

  /** Each repository is collected as an operation of its own, which tells what it removed. */
  async #collect(): Promise<void> {
    for (const { id } of this.#context.repositories.all()) {
      if (!this.#started) return;
      try {
        await this.#repositories.startPrune(id, { createdBy: 'schedule:prune' });
      } catch (error) {
        this.#context.logger.error({ err: error, repositoryId: id }, 'a collection could not be started');
      }
    }
  }

  async #verifySome(maxFraction: number): Promise<void> {
    for (const { id } of this.#context.repositories.all()) {
      if (!this.#started) return;
      try {
        await this.#repositories.startVerify(id, { level: 3, budget: { maxFraction }, createdBy: 'schedule:scrub' });
      } catch (error) {
        this.#context.logger.error({ err: error, repositoryId: id }, 'a scrub could not be started');
      }
    }
  }

  async #syncCopies(): Promise<void> {
    for (const { id } of this.#context.configuration.copies) {
      if (!this.#started) return;
      try {
        await this.#copies.startSync(id, { createdBy: 'schedule:copy' });
      } catch (error) {
        this.#context.logger.error({ err: error, copyId: id }, 'a sync of a copy could not be started');
      }
    }
  }

  async #cleanUp(): Promise<void> {
    try {
      const { signal } = this.#stopping;
      await this.#policies.cleanUp('cleanup');
      await this.#variants.makeNewestAhead(signal);
    } catch (error) {
      this.#context.logger.error({ err: error }, 'cleanup failed');
      await this.#context.notifier.notify({
        type: 'cleanup-failed',
        subject: 'cleanup',
        message: `Cleanup failed: ${messageOf(error)}`,
        details: {},
      });
    }
  }
}

/** What a job was made from: recording a run must not begin it anew. */
function signatureOf({ cron, timeZone }: Schedule): string {
  return `${timeZone} ${cron}`;
}
