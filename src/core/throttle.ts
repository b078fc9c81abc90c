/**
 * Does something now when it is asked for, and when that was asked for again too soon or meanwhile, once more as soon as the
 * interval is over: never twice within it or at the same time, and always once after the last time somebody asked.
 */
export class Throttle {
  readonly #interval: number;
  readonly #work: () => Promise<void>;
  #next = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isAsked = false;
  #isStopped = false;

  /** @param interval in milliseconds @param work must not throw */
  constructor(interval: number, work: () => Promise<void>) {
    this.#interval = interval;
    this.#work = work;
  }

  ask(): void {
    this.#isAsked = true;
    if (this.#isStopped || this.#running !== undefined || this.#timer !== undefined) return;
    const wait = this.#next - performance.now();
    if (wait <= 0) {
      this.#begin();
      return;
    }
    this.#timer = setTimeout(() => this.#begin(), wait);
    // What is still to be done then is not worth a process that stays for it.
    this.#timer.unref();
  }

  /** Drops what was asked for and has not begun, takes nothing more, and waits for what runs. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #begin(): void {
    this.#timer = undefined;
    this.#isAsked = false;
    this.#next = performance.now() + this.#interval;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      if (this.#isAsked) this.ask();
    });
  }
}
