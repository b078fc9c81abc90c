import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, isTransient } from '../core/errors.ts';
import type { Logger } from '../core/ports/logger.ts';
import type { KeptMessages } from './kept-messages.ts';
import type { Courier, Message } from './message.ts';
import { type WaitingMessage, WaitingMessages, type WaitingOptions } from './waiting-messages.ts';

const GRACE_MILLISECONDS = 5000;

export interface DeliveryOptions extends WaitingOptions {
  /** Of the target, for the log. */
  name: string;
  courier: Pick<Courier, 'place' | 'deliver'>;
  logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
  /** Where messages outlive the process until they were taken; absent: they end with it. */
  kept?: KeptMessages | undefined;
  /** What `close` gives to what is under way. Default 5 s. */
  graceMilliseconds?: number;
}

/** Messages to one place, one at a time, in the background. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #waiting: WaitingMessages;
  readonly #over = new AbortController();
  #resting = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#waiting = new WaitingMessages(options);
  }

  add(message: Message): void {
    this.#options.kept?.put(this.#options.name, message);
    this.resume(message);
  }

  /** Takes up what an earlier process had still to deliver. */
  resume(message: Message): void {
    for (const dropped of this.#waiting.add(message, performance.now())) this.#lost(dropped);
    this.#resting.abort();
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** Delivers what waits, within a few seconds; what then still does is kept or lost. */
  async close(): Promise<void> {
    const { graceMilliseconds, kept } = this.#options;
    this.#waiting.hasten(performance.now());
    this.#resting.abort();
    const end = setTimeout(() => this.#over.abort(), graceMilliseconds ?? GRACE_MILLISECONDS);
    await this.#running;
    clearTimeout(end);
    this.#over.abort();
    await kept?.settled();
  }

  async #run(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const next = this.#waiting.next(performance.now());
      if (next === undefined) break;
      if ('one' in next) await this.#deliver(next.one);
      else await this.#rest(next.at - performance.now());
    }
    this.#isRunning = false;
    for (const left of this.#waiting.drain()) this.#leave(left);
  }

  async #deliver(one: WaitingMessage): Promise<void> {
    const { name, logger, kept } = this.#options;
    const { message } = one;
    try {
      await this.#attempt(message);
      kept?.remove(name, message);
      this.#waiting.taken(performance.now());
      logger.debug({ target: name, event: message.type, subject: message.subject }, 'a notification was taken');
    } catch (error) {
      if (this.#over.signal.aborted) return this.#leave(one);
      const reason = reasonOf(error);
      if (!isTransient(error)) return this.#lost({ message, reason });
      for (const lost of this.#waiting.failed(one, performance.now(), reason, retryAfterOf(error))) this.#lost(lost);
      logger.debug({ target: name, reason }, 'a notification was not taken, and is tried again');
    }
  }

  /** Over when everything is, also where the courier does not heed that: it may wait for a disk that is away. */
  async #attempt(message: Message): Promise<void> {
    const { signal } = this.#over;
    const { promise: over, reject } = Promise.withResolvers<never>();
    const end = () => reject(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    try {
      await Promise.race([this.#deliverKept(message), over]);
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  async #deliverKept(message: Message): Promise<void> {
    await this.#options.kept?.settled();
    await this.#options.courier.deliver(message, this.#over.signal);
  }

  /** Ended early by what is new, and by `close`. It keeps no process alive. */
  async #rest(milliseconds: number): Promise<void> {
    this.#resting = new AbortController();
    const signal = AbortSignal.any([this.#resting.signal, this.#over.signal]);
    await sleep(Math.max(0, milliseconds), undefined, { signal, ref: false }).catch(() => undefined);
  }

  /** At the end of the process. */
  #leave({ message, reason }: WaitingMessage): void {
    const { name, logger, kept } = this.#options;
    const before = reason === undefined ? '' : `${reason} `;
    const { type, subject } = message;
    if (kept?.has(name, message) !== true) this.#lost({ message, reason: `${before}The process ended before.` });
    else
      logger.info(
        { target: name, notification: type, subject },
        `The notification ${type} of ${subject} is kept for "${name}" until the service runs again.`,
      );
  }

  #lost({ message, reason }: WaitingMessage): void {
    const { name, courier, logger, kept } = this.#options;
    const { type, subject } = message;
    kept?.remove(name, message);
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
