/**
 * Lets one piece of work at a time through for each key, in the order of arrival; different keys do not wait for each other.
 * Forgets keys that nobody uses.
 */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  /** @throws what `work` throws, or the signal's reason where it aborts while waiting */
  async run<Result>(key: string, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const turn = before.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    const tail = turn.then(ignored, ignored);
    this.#tails.set(key, tail);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}

function ignored(): void {
  // Whoever waits next needs to know only that this one is over; its caller gets the outcome.
}
