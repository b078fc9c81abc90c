import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, isTransient } from '../core/errors.ts';
import type { Logger } from '../core/ports/logger.ts';
import type { Courier, Message } from './message.ts';

const MOST_WAITING = 100;
/** Between attempts: an hour and twenty minutes in all, so that a short outage of the network loses nothing. */
const PAUSES_MILLISECONDS = [2000, 10_000, 60_000, 300_000, 900_000, 3_600_000];
const LONGEST_PAUSE_MILLISECONDS = 3_600_000;
const LONGEST_PAUSE_AT_END_MILLISECONDS = 1000;
const GRACE_MILLISECONDS = 5000;

export interface DeliveryOptions {
  /** Of the target, for the log. */
  name: string;
  courier: Courier;
  logger: Pick<Logger, 'debug' | 'warn'>;
  /** Default: six, of 2 seconds to an hour. */
  pausesMilliseconds?: readonly number[];
  /** What `close` gives to what is under way. Default 5 s. */
  graceMilliseconds?: number;
}

/** Messages to one place, one after the other, in the background. At most 100 wait: the oldest makes room. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #pauses: readonly number[];
  readonly #waiting: Message[] = [];
  readonly #closing = new AbortController();
  readonly #over = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#pauses = options.pausesMilliseconds ?? PAUSES_MILLISECONDS;
  }

  add(message: Message): void {
    this.#waiting.push(message);
    const dropped = this.#waiting.length > MOST_WAITING ? this.#waiting.shift() : undefined;
    if (dropped !== undefined) this.#lost(dropped, `${MOST_WAITING} newer ones wait.`);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** Delivers what waits, within a few seconds; what then still does is lost. */
  async close(): Promise<void> {
    this.#closing.abort();
    const end = setTimeout(() => this.#over.abort(), this.#options.graceMilliseconds ?? GRACE_MILLISECONDS);
    await this.#running;
    clearTimeout(end);
    this.#over.abort();
  }

  async #run(): Promise<void> {
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift())
      await this.#deliver(message);
    this.#isRunning = false;
  }

  async #deliver(message: Message): Promise<void> {
    const { name, logger } = this.#options;
    let reason = '';
    for (let attempt = 0; ; attempt++) {
      if (this.#over.signal.aborted) return this.#lost(message, `${reason}The process ended before.`);
      try {
        await this.#attempt(message);
        return logger.debug(
          { target: name, event: message.type, subject: message.subject },
          'a notification was taken',
        );
      } catch (error) {
        if (this.#over.signal.aborted) continue;
        const pause = this.#pauses[attempt];
        if (pause === undefined || !isTransient(error)) return this.#lost(message, reasonOf(error));
        reason = `${reasonOf(error)} `;
        logger.debug({ target: name, reason: reasonOf(error) }, 'a notification was not taken, and is tried again');
        await this.#pause(pause, error);
      }
    }
  }

  /** Over when everything is, also where the courier does not heed that: it may wait for a disk that is away. */
  async #attempt(message: Message): Promise<void> {
    const { signal } = this.#over;
    const { promise: over, reject } = Promise.withResolvers<never>();
    const end = () => reject(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    try {
      await Promise.race([this.#options.courier.deliver(message, signal), over]);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  /** Ended early by `close`, as an attempt at once is better than none. It keeps no process alive. */
  async #pause(milliseconds: number, error: unknown): Promise<void> {
    const isAtEnd = this.#closing.signal.aborted;
    const wanted = Math.max(milliseconds * (0.75 + Math.random() / 4), retryAfterOf(error));
    const longest = isAtEnd ? LONGEST_PAUSE_AT_END_MILLISECONDS : LONGEST_PAUSE_MILLISECONDS;
    const { signal } = isAtEnd ? this.#over : this.#closing;
    await sleep(Math.min(wanted, longest), undefined, { signal, ref: false }).catch(() => undefined);
  }

  #lost({ type, subject }: Message, reason: string): void {
    const { name, courier, logger } = this.#options;
    logger.warn(
      { target: name, place: courier.place, notification: type, subject },
      `The notification ${type} of ${subject} was not delivered to "${name}": ${reason}`,
    );
  }
}

/** Of an error that was not foreseen the name alone: its message may hold anything. */
export function reasonOf(error: unknown): string {
  if (error instanceof HoldfastError) return error.message;
  return `It failed unexpectedly (${error instanceof Error ? error.name : 'unknown'}).`;
}

/** @returns milliseconds */
function retryAfterOf(error: unknown): number {
  const seconds = error instanceof HoldfastError ? error.details.retryAfterSeconds : undefined;
  return typeof seconds === 'number' ? seconds * 1000 : 0;
}
