/**
 * Lets one piece of work at a time through for each key, in the order of arrival; different keys do not wait for each other.
 * Forgets keys that nobody uses.
 */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** @throws what `work` throws, or the signal's reason, at once, where it aborts while waiting */
  async run<Result>(key: string, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const begun = Promise.withResolvers<void>();
    const giveUp = (): void => begun.reject(signal?.reason);
    const turn = before.then(() => {
      signal?.removeEventListener('abort', giveUp);
      signal?.throwIfAborted();
      begun.resolve();
      return work();
    });
    const tail = turn.then(ignored, ignored);
    this.#tails.set(key, tail);
    // Whoever gave up still has a turn, in which nothing happens: those behind it wait for those before it.
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    if (signal?.aborted) giveUp();
    signal?.addEventListener('abort', giveUp, { once: true });
    await begun.promise;
    return turn;
  }
}

function ignored(): void {
  // Whoever waits next needs to know only that this one is over; its caller gets the outcome.
}
