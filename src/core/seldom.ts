import type { Clock } from './ports/clock.ts';

/** Lets each thing pass once in a while: for what strangers cause and could fill a log with. */
export class Seldom {
  readonly #clock: Clock;
  readonly #milliseconds: number;
  readonly #passed = new Map<string, number>();

  constructor(clock: Clock, milliseconds: number) {
    this.#clock = clock;
    this.#milliseconds = milliseconds;
  }

  /** @param what one of a few things, no word of a stranger's: all are remembered */
  may(what: string): boolean {
    const now = this.#clock.now().getTime();
    if (now - (this.#passed.get(what) ?? Number.NEGATIVE_INFINITY) < this.#milliseconds) return false;
    this.#passed.set(what, now);
    return true;
  }
}
