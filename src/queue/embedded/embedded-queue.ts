import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Operation } from '../../core/operation.ts';
import type { OperationTable } from '../../core/ports/catalogue.ts';
import type { Logger } from '../../core/ports/logger.ts';
import type { OperationRunner, WorkQueue } from '../../core/ports/work-queue.ts';

export interface EmbeddedQueueOptions {
  operations: OperationTable;
  /** Names this process in the catalogue. */
  owner: string;
  /** Operations that run at once. */
  concurrency: number;
  logger: Logger;
  /** How often the catalogue is asked for operations that other processes queued. */
  pollMilliseconds?: number;
}

/**
 * The service's queue: the catalogue's operations table is the queue itself, so that nothing queued is lost with a process.
 * What this process queues runs at once; the rest is found by polling.
 */
export function createEmbeddedQueue(options: EmbeddedQueueOptions): WorkQueue {
  return new EmbeddedQueue(options);
}

class EmbeddedQueue implements WorkQueue {
  readonly #options: EmbeddedQueueOptions;
  readonly #running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  #run: OperationRunner | undefined;
  #timer: NodeJS.Timeout | undefined;
  #filling: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedQueueOptions) {
    this.#options = options;
  }

  async enqueue(operation: Operation): Promise<void> {
    await this.#options.operations.insert({ ...operation, status: 'queued' });
    this.#wake();
  }

  async start(run: OperationRunner): Promise<void> {
    this.#run = run;
    this.#timer = setInterval(() => this.#wake(), this.#options.pollMilliseconds ?? 2000);
    this.#timer.unref();
    this.#wake();
  }

  async cancel(operationId: string): Promise<boolean> {
    if (await this.#abort(operationId)) return true;
    const change = { status: 'cancelled' as const, completedAt: new Date().toISOString() };
    if (await this.#options.operations.update(operationId, change, 'queued')) return true;
    // It may have been claimed between the two looks, and begins when the filling under way is done.
    await this.#filling;
    return this.#abort(operationId);
  }

  async stop(graceMilliseconds: number): Promise<void> {
    this.#run = undefined;
    clearInterval(this.#timer);
    await this.#filling;
    const all = [...this.#running.values()];
    const impatience = setTimeout(() => {
      for (const { abort } of all) abort.abort(cancelled());
    }, graceMilliseconds);
    await Promise.all(all.map(({ done }) => done));
    clearTimeout(impatience);
  }

  /** @returns false if it does not run here */
  async #abort(operationId: string): Promise<boolean> {
    const running = this.#running.get(operationId);
    if (running === undefined) return false;
    running.abort.abort(cancelled());
    await running.done;
    return true;
  }

  #wake(): void {
    this.#filling = this.#filling
      .then(() => this.#fill())
      .catch((error: unknown) => {
        this.#options.logger.error(
          { error: messageOf(error) },
          'The queue could not ask the catalogue for work; it will try again.',
        );
      });
  }

  async #fill(): Promise<void> {
    while (this.#run !== undefined && this.#running.size < this.#options.concurrency) {
      const { operations, owner } = this.#options;
      const operation = await operations.claim(owner);
      if (operation === undefined) return;
      const run: OperationRunner | undefined = this.#run;
      if (run !== undefined) this.#begin(operation, run);
      // Stopped meanwhile. Left as it is, the next process would take it for one that was cut off.
      else await operations.update(operation.id, { status: 'queued' }, 'running');
    }
  }

  #begin(operation: Operation, run: OperationRunner): void {
    const abort = new AbortController();
    const done = run(operation, abort.signal).finally(() => {
      this.#running.delete(operation.id);
      this.#wake();
    });
    this.#running.set(operation.id, { abort, done });
  }
}

function cancelled(): HoldfastError {
  return new HoldfastError('cancelled', 'operation-cancelled', 'The operation was cancelled.');
}
