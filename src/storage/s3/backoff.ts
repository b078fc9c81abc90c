import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits before a repetition: a random time up to a limit that doubles each time ("full jitter": AWS Architecture Blog, Exponential
 * Backoff And Jitter).
 * @param repetition 1 before the first one
 */
export async function waitBefore(repetition: number, signal?: AbortSignal): Promise<void> {
  const most = Math.min(LONGEST, FIRST * 2 ** (repetition - 1));
  await sleep(Math.random() * most, undefined, signal === undefined ? undefined : { signal }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    },
  );
}

/** milliseconds */
const FIRST = 100;
const LONGEST = 20_000;
