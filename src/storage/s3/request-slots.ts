/**
 * Lets so many requests run at once and the others wait for their turn. The connections would wait as well, but there the wait
 * counts as time in which no connection came to stand.
 */
export class RequestSlots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  async use<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const release = await this.take(signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** @param signal ends the wait @returns gives the slot back; to be called once */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    return () => {
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else next();
    };
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(come);
        signal?.removeEventListener('abort', give);
      };
      const come = (): void => {
        leave();
        resolve();
      };
      const give = (): void => {
        leave();
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', give);
      this.#waiting.add(come);
    });
  }
}
