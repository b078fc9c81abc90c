import type { ManagerContext } from './manager-context.ts';
import type { Operation, Progress } from './operation.ts';
import { Throttle } from './throttle.ts';

const CATALOGUE_INTERVAL = 400;
const WATCHERS_INTERVAL = 100;

/**
 * Takes any number of progress reports of one operation and passes on few: to those who watch in this process at most ten a
 * second, to the catalogue less than three. The latest one always arrives, however long no other follows it.
 */
export class OperationProgress {
  readonly #context: ManagerContext;
  readonly #operation: Operation;
  readonly #announcing: Throttle;
  readonly #storing: Throttle;
  #latest: Progress;

  constructor(context: ManagerContext, operation: Operation) {
    this.#context = context;
    this.#operation = operation;
    this.#latest = operation.progress;
    this.#announcing = new Throttle(WATCHERS_INTERVAL, () => this.#announce());
    this.#storing = new Throttle(CATALOGUE_INTERVAL, () => this.#store());
  }

  get latest(): Progress {
    return this.#latest;
  }

  report(progress: Progress): void {
    this.#latest = { ...progress, percent: Math.max(0, Math.min(100, Math.floor(progress.percent))) };
    this.#announcing.ask();
    this.#storing.ask();
  }

  /** Waits for the last write, so that it cannot arrive after the operation's end was recorded. */
  async settle(): Promise<void> {
    await Promise.all([this.#announcing.stop(), this.#storing.stop()]);
  }

  async #announce(): Promise<void> {
    this.#context.events.publish({ ...this.#operation, progress: this.#latest });
  }

  async #store(): Promise<void> {
    try {
      await this.#context.catalogue.operations.update(this.#operation.id, { progress: this.#latest });
    } catch (error) {
      this.#context.logger.warn({ err: error, operationId: this.#operation.id }, 'progress could not be recorded');
    }
  }
}
