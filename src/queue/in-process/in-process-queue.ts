import { HoldfastError } from '../../core/errors.ts';
import type { Operation } from '../../core/operation.ts';
import type { OperationTable } from '../../core/ports/catalogue.ts';
import type { OperationRunner, WorkQueue } from '../../core/ports/work-queue.ts';

/**
 * The command line's queue: what is put in runs at once in this process, and nobody else's operations are taken. A service on
 * the same catalogue sees the operation as running and leaves it alone.
 *
 * @param owner names this process in the catalogue
 */
export function createInProcessQueue(operations: OperationTable, owner: string): WorkQueue {
  return new InProcessQueue(operations, owner);
}

class InProcessQueue implements WorkQueue {
  readonly #operations: OperationTable;
  readonly #owner: string;
  readonly #running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  #run: OperationRunner | undefined;

  constructor(operations: OperationTable, owner: string) {
    this.#operations = operations;
    this.#owner = owner;
  }

  async enqueue(operation: Operation): Promise<void> {
    const run = this.#run;
    if (run === undefined) {
      throw new HoldfastError('internal', 'queue-not-started', 'An operation was queued before the queue was started.');
    }
    const running: Operation = { ...operation, status: 'running' };
    await this.#operations.insertRunning(running, this.#owner);
    const abort = new AbortController();
    const done = run(running, abort.signal).finally(() => this.#running.delete(operation.id));
    this.#running.set(operation.id, { abort, done });
  }

  async start(run: OperationRunner): Promise<void> {
    this.#run = run;
  }

  async cancel(operationId: string): Promise<boolean> {
    const running = this.#running.get(operationId);
    if (running === undefined) return false;
    running.abort.abort(cancelled());
    await running.done;
    return true;
  }

  async stop(graceMilliseconds: number): Promise<void> {
    this.#run = undefined;
    const all = [...this.#running.values()];
    const impatience = setTimeout(() => {
      for (const { abort } of all) abort.abort(cancelled());
    }, graceMilliseconds);
    await Promise.all(all.map(({ done }) => done));
    clearTimeout(impatience);
  }
}

function cancelled(): HoldfastError {
  return new HoldfastError('cancelled', 'operation-cancelled', 'The operation was cancelled.');
}
