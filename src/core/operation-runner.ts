import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, messageOf, systemErrorCode } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation, OperationError, OperationKind } from './operation.ts';
import { OperationProgress } from './operation-progress.ts';
import type { OperationOutcome, OperationWork } from './operation-work.ts';
import type { OperationRunner } from './ports/work-queue.ts';
import { withRetries } from './retry.ts';

export type OperationWorks = Partial<Record<OperationKind, OperationWork>>;

/** How often an operation is started at all, restarts of the service included. */
export const MOST_ATTEMPTS = 3;
const MOST_WARNINGS = 100;
const RECORDING_ATTEMPTS = 5;

/** Kinds that may simply be done again after they were cut off: half of one leaves nothing. */
export const REPEATABLE: ReadonlySet<OperationKind> = new Set(['backup', 'verify', 'drill', 'adopt', 'variant']);

/**
 * Runs operations and records honestly how each ended: completed, failed with the reason, or cancelled. Transient faults of
 * repeatable kinds are tried again. What a shutdown cuts off goes back into the queue, or fails saying so.
 */
export function createOperationRunner(context: ManagerContext, works: OperationWorks): OperationRunner {
  return async (claimed, signal) => {
    const operation: Operation = {
      ...claimed,
      status: 'running',
      attempts: claimed.attempts + 1,
      startedAt: claimed.startedAt ?? context.clock.now().toISOString(),
    };
    const run = new OperationRun(context, operation, signal);
    try {
      const work = works[operation.kind];
      if (work === undefined) throw unknownKind(operation);
      const outcome = await run.work(work);
      await run.end(outcome.failure === undefined ? 'completed' : 'failed', outcome);
    } catch (error) {
      await run.endBadly(error);
    }
  };
}

/** How an operation that was cut off by the end of its process is recorded where it cannot be done again by itself. */
export function interrupted(operation: Operation): OperationError {
  const advice =
    operation.kind === 'restore'
      ? 'What was restored so far is still there; start the restore again, with the conflict strategy "overwrite" or into an empty folder.'
      : 'Start it again.';
  const message = `The process that ran this ${operation.kind} ended before it was done. ${advice}`;
  return { code: 'interrupted', message, kind: 'unavailable' };
}

class OperationRun {
  readonly #context: ManagerContext;
  readonly #signal: AbortSignal;
  readonly #progress: OperationProgress;
  readonly #warnings: string[];
  #operation: Operation;

  constructor(context: ManagerContext, operation: Operation, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#operation = operation;
    this.#progress = new OperationProgress(context, operation);
    this.#warnings = [...operation.warnings];
  }

  async work(work: OperationWork): Promise<OperationOutcome> {
    const { status, attempts, startedAt } = this.#operation;
    await this.#change({ status, attempts, ...(startedAt === undefined ? {} : { startedAt }) });
    const once = () => {
      this.#signal.throwIfAborted();
      return work(this.#operation, {
        signal: this.#signal,
        report: (progress) => this.#progress.report(progress),
        warn: (message) => {
          if (this.#warnings.length < MOST_WARNINGS) this.#warnings.push(message);
        },
      });
    };
    if (!REPEATABLE.has(this.#operation.kind)) return once();
    return withRetries(once, {
      attempts: MOST_ATTEMPTS - attempts + 1,
      signal: this.#signal,
      onRetry: async (error, _next, delay) => {
        this.#context.logger.warn(
          { err: error, operationId: this.#operation.id, delayMilliseconds: Math.round(delay) },
          'a fault that may pass: the operation is tried again',
        );
        this.#warnings.splice(0);
        await this.#change({ attempts: this.#operation.attempts + 1 });
      },
    });
  }

  async end(status: 'completed' | 'failed', outcome: OperationOutcome): Promise<void> {
    const { result, backupId, failure } = outcome;
    await this.#finish({
      status,
      result,
      ...(backupId === undefined ? {} : { backupId }),
      ...(failure === undefined ? {} : { error: failure }),
      progress: { ...this.#progress.latest, percent: status === 'completed' ? 100 : this.#progress.latest.percent },
    });
  }

  async endBadly(error: unknown): Promise<void> {
    const progress = this.#progress.latest;
    if (this.#signal.aborted && this.#context.cancellations.has(this.#operation.id)) {
      await this.#finish({ status: 'cancelled', progress });
    } else if (this.#signal.aborted) {
      await this.#cutOff();
    } else {
      this.#context.logger.error({ err: error, operationId: this.#operation.id }, 'an operation failed');
      await this.#finish({ status: 'failed', error: describeError(error), progress });
    }
  }

  async #cutOff(): Promise<void> {
    const operation = this.#operation;
    if (!REPEATABLE.has(operation.kind) || operation.attempts >= MOST_ATTEMPTS) {
      await this.#finish({ status: 'failed', error: interrupted(operation), progress: this.#progress.latest });
      return;
    }
    await this.#record({ status: 'queued', progress: { percent: 0 } });
  }

  async #finish(change: Partial<Operation>): Promise<void> {
    await this.#record({ ...change, warnings: this.#warnings, completedAt: this.#context.clock.now().toISOString() });
  }

  /** How an operation ended must not be lost to a catalogue that is busy for a moment; what stays unrecorded, a restart finds. */
  async #record(change: Partial<Operation>): Promise<void> {
    await this.#progress.settle();
    for (let attempt = 1; attempt <= RECORDING_ATTEMPTS; attempt++) {
      try {
        await this.#change(change);
        return;
      } catch (error) {
        this.#context.logger.error(
          { err: error, operationId: this.#operation.id, change },
          'recording an operation failed',
        );
        await sleep(200 * attempt);
      }
    }
    this.#context.events.publish({ ...this.#operation, ...change });
  }

  async #change(change: Partial<Operation>): Promise<void> {
    await this.#context.catalogue.operations.update(this.#operation.id, change);
    this.#operation = { ...this.#operation, ...change };
    this.#context.events.publish(this.#operation);
  }
}

function describeError(error: unknown): OperationError {
  if (error instanceof HoldfastError) return { code: error.code, message: error.message, kind: error.kind };
  return { code: systemErrorCode(error)?.toLowerCase() ?? 'internal', message: messageOf(error), kind: 'internal' };
}

function unknownKind(operation: Operation): HoldfastError {
  const message = `This version of Holdfast cannot run operations of the kind "${operation.kind}".`;
  return new HoldfastError('unsupported', 'operation-kind-unknown', message);
}
