import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, messageOf } from './errors.ts';
import type { CaptureState } from './log-overview.ts';
import type { ManagerContext } from './manager-context.ts';
import type { ServiceLog } from './ports/resource-log.ts';
import type { Resource } from './resource.ts';
import { ResourceLogStore } from './resource-log-store.ts';

/** How often the catalogue is asked for resources that other processes changed. */
const RELOAD_MILLISECONDS = 10_000;
const FIRST_PAUSE_MILLISECONDS = 1000;
const LONGEST_PAUSE_MILLISECONDS = 5 * 60_000;
/** A capture that went well for so long is begun again at once when it fails. */
const WELL_MILLISECONDS = 60_000;
const WARNINGS_KEPT = 20;

/** Follows the logs of all resources that ask for it, in the process that serves, each for itself. */
export class Captures {
  readonly #context: ManagerContext;
  readonly #running = new Map<string, Capture>();
  #timer: NodeJS.Timeout | undefined;
  #reloading: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.reload(), RELOAD_MILLISECONDS).unref();
    await this.reload();
  }

  /** Ends all; what they have received is stored before this resolves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#reloading;
    await Promise.all([...this.#running.values()].map((capture) => capture.stop()));
    this.#running.clear();
  }

  states(): ReadonlyMap<string, CaptureState> {
    return new Map([...this.#running].map(([id, capture]) => [id, capture.state]));
  }

  /** Brings what runs in line with the catalogue, one such call after the other. */
  reload(): Promise<void> {
    if (this.#timer === undefined) return Promise.resolve();
    this.#reloading = this.#reloading.then(() => this.#reload());
    return this.#reloading;
  }

  async #reload(): Promise<void> {
    if (this.#stopped) return;
    try {
      const resources = new Map((await this.#context.catalogue.resources.list()).map((each) => [each.id, each]));
      for (const [id, capture] of this.#running) {
        const resource = resources.get(id);
        if (resource?.updatedAt === capture.resource.updatedAt) continue;
        await capture.stop();
        this.#running.delete(id);
        const isStillKept = resource !== undefined && this.#logOf(resource) === capture.log;
        await this.#release(capture, isStillKept ? resource : undefined);
      }
      for (const resource of resources.values()) {
        const log = this.#logOf(resource);
        if (log === undefined || this.#running.has(resource.id) || this.#stopped) continue;
        this.#running.set(resource.id, new Capture(this.#context, resource, log));
      }
    } catch (error) {
      this.#context.logger.error({ err: error }, 'resources could not be read; captures that run go on');
    }
  }

  #logOf(resource: Resource): ServiceLog | undefined {
    const service = this.#context.services.find(resource.service);
    return service?.log?.isKept(resource.configuration) ? service.log : undefined;
  }

  /** What the source keeps for a log that nobody follows any more would fill its disk. */
  async #release({ resource, log }: Capture, now?: Resource): Promise<void> {
    try {
      await log.release?.(resource, now);
    } catch (error) {
      this.#context.logger.error(
        { err: error, resourceId: resource.id },
        'the source could not be told that its log is no longer followed',
      );
      void this.#context.notifier.notify({
        type: 'log-failed',
        subject: resource.id,
        message: `The log of ${resource.id} is no longer followed, but its source could not be told: ${messageOf(error)} What it keeps for Holdfast may fill its disk.`,
        details: { code: codeOf(error) },
      });
    }
  }
}

/** One log that is followed, begun again whenever that fails, until it is stopped. */
class Capture {
  readonly resource: Resource;
  readonly log: ServiceLog;
  readonly #context: ManagerContext;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #state: CaptureState;

  constructor(context: ManagerContext, resource: Resource, log: ServiceLog) {
    this.#context = context;
    this.resource = resource;
    this.log = log;
    this.#state = { status: 'running', since: this.#now(), failures: 0, warnings: [] };
    this.#ended = this.#run();
  }

  get state(): CaptureState {
    return this.#state;
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new HoldfastError('cancelled', 'capture-stopped', 'Following the log was stopped.'));
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = FIRST_PAUSE_MILLISECONDS;
    while (!signal.aborted) {
      const begun = performance.now();
      this.#state = { ...this.#state, status: 'running', since: this.#now() };
      const error = await this.#follow();
      if (signal.aborted) return;
      if (performance.now() - begun > WELL_MILLISECONDS) pause = FIRST_PAUSE_MILLISECONDS;
      this.#tellFailure(error);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MILLISECONDS);
    }
  }

  /** @returns what ended it */
  async #follow(): Promise<unknown> {
    try {
      await this.log.capture({
        resource: this.resource,
        log: new ResourceLogStore(this.#context, this.resource.id),
        signal: this.#stopping.signal,
        report: (progress) => {
          const { lastError: _lastError, ...rest } = this.#state;
          this.#state = { ...rest, failures: 0, progress: { ...progress, at: this.#now() } };
        },
        warn: (message) => this.#warn(message),
      });
      return new HoldfastError('internal', 'capture-ended', 'Following the log ended by itself.');
    } catch (error) {
      return error;
    }
  }

  #tellFailure(error: unknown): void {
    const lastError = { code: codeOf(error), message: messageOf(error), at: this.#now() };
    const failures = this.#state.failures + 1;
    this.#state = { ...this.#state, status: 'waiting', since: lastError.at, failures, lastError };
    this.#context.logger.error({ err: error, resourceId: this.resource.id, failures }, 'following a log failed');
    // One that goes on failing was told of already.
    if (failures > 1) return;
    this.#notify(`Following the log of ${this.resource.id} failed: ${lastError.message}`, { code: lastError.code });
  }

  #warn(message: string): void {
    const warnings = [...this.#state.warnings, { message, at: this.#now() }].slice(-WARNINGS_KEPT);
    this.#state = { ...this.#state, warnings };
    this.#context.logger.warn({ resourceId: this.resource.id }, message);
    this.#notify(`The log of ${this.resource.id}: ${message}`, {});
  }

  #notify(message: string, details: Readonly<Record<string, unknown>>): void {
    void this.#context.notifier.notify({ type: 'log-failed', subject: this.resource.id, message, details });
  }

  #now(): string {
    return this.#context.clock.now().toISOString();
  }
}

function codeOf(error: unknown): string {
  return error instanceof HoldfastError ? error.code : 'internal';
}
