import { messageOf } from './errors.ts';
import type { ConnectionCheck } from './ports/connection-check.ts';

/** Gathers the checks of one test. A check that throws has failed; once the time is over the rest is skipped. */
export class CheckList {
  readonly checks: ConnectionCheck[] = [];
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  ok(name: string, message: string): void {
    this.checks.push({ name, outcome: 'ok', message });
  }

  warning(name: string, message: string, advice?: string): void {
    this.checks.push({ name, outcome: 'warning', message, ...(advice === undefined ? {} : { advice }) });
  }

  failed(name: string, message: string, advice?: string): void {
    this.checks.push({ name, outcome: 'failed', message, ...(advice === undefined ? {} : { advice }) });
  }

  skipped(name: string, message: string, advice?: string): void {
    this.checks.push({ name, outcome: 'skipped', message, ...(advice === undefined ? {} : { advice }) });
  }

  /**
   * Does work that may fail, which then is the outcome of the check.
   * @returns what the work returns; undefined where it failed or the time is over
   */
  async attempt<Result>(name: string, work: () => Promise<Result>): Promise<Result | undefined> {
    if (this.#signal.aborted) {
      this.skipped(name, TIME_OVER);
      return undefined;
    }
    try {
      return await work();
    } catch (error) {
      if (this.#signal.aborted) this.skipped(name, TIME_OVER);
      else this.failed(name, messageOf(error));
      return undefined;
    }
  }
}

const TIME_OVER = 'The time for this test was over before it was looked at.';
