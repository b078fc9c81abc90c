import { setTimeout as sleep } from 'node:timers/promises';
import { isTransient } from './errors.ts';

export interface RetryOptions {
  /** How often `attempt` may run at all. */
  attempts: number;
  signal: AbortSignal;
  /** The wait after the first failure doubles with each one and is cut by up to half at random. Default 500 ms. */
  firstDelayMilliseconds?: number;
  /** Told before each wait. */
  onRetry(error: unknown, nextAttempt: number, delayMilliseconds: number): Promise<void>;
}

/**
 * Runs `attempt` until it succeeds, fails for good or has failed `attempts` times; only transient faults are tried again.
 * Exponential backoff with jitter, so that many that failed together do not come back together.
 */
export async function withRetries<Result>(attempt: () => Promise<Result>, options: RetryOptions): Promise<Result> {
  const first = options.firstDelayMilliseconds ?? 500;
  for (let number = 1; ; number++) {
    try {
      return await attempt();
    } catch (error) {
      if (number >= options.attempts || options.signal.aborted || !isTransient(error)) throw error;
      const delay = Math.min(first * 2 ** (number - 1), LONGEST_DELAY) * (0.5 + Math.random() / 2);
      await options.onRetry(error, number + 1, delay);
      await sleep(delay, undefined, { signal: options.signal }).catch(() => options.signal.throwIfAborted());
    }
  }
}

const LONGEST_DELAY = 30_000;
