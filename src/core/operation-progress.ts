import type { ManagerContext } from './manager-context.ts';
import type { Operation, Progress } from './operation.ts';

const CATALOGUE_INTERVAL = 400;
const WATCHERS_INTERVAL = 100;

/**
 * Takes any number of progress reports of one operation and passes on few: to those who watch in this process at most ten a
 * second, to the catalogue less than three.
 */
export class OperationProgress {
  readonly #context: ManagerContext;
  readonly #operation: Operation;
  #latest: Progress;
  #announced = 0;
  #stored = 0;
  #writing: Promise<void> | undefined;

  constructor(context: ManagerContext, operation: Operation) {
    this.#context = context;
    this.#operation = operation;
    this.#latest = operation.progress;
  }

  get latest(): Progress {
    return this.#latest;
  }

  report(progress: Progress): void {
    this.#latest = { ...progress, percent: Math.max(0, Math.min(100, Math.floor(progress.percent))) };
    const now = performance.now();
    if (now - this.#announced < WATCHERS_INTERVAL) return;
    this.#announced = now;
    this.#context.events.publish({ ...this.#operation, progress: this.#latest });
    if (now - this.#stored < CATALOGUE_INTERVAL || this.#writing !== undefined) return;
    this.#stored = now;
    this.#writing = this.#store().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Waits for the last write, so that it cannot arrive after the operation's end was recorded. */
  async settle(): Promise<void> {
    await this.#writing;
  }

  async #store(): Promise<void> {
    try {
      await this.#context.catalogue.operations.update(this.#operation.id, { progress: this.#latest });
    } catch (error) {
      this.#context.logger.warn({ err: error, operationId: this.#operation.id }, 'progress could not be recorded');
    }
  }
}
