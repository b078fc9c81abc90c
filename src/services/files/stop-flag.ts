import { HoldfastError } from '../../core/errors.ts';

/** Tells the tasks of one backup or restore, in all worker threads at once, that their work is no longer wanted. */
export class StopFlag {
  readonly shared: SharedArrayBuffer;
  readonly #word: Int32Array;

  constructor(shared = new SharedArrayBuffer(4)) {
    this.shared = shared;
    this.#word = new Int32Array(shared);
  }

  stop(): void {
    Atomics.store(this.#word, 0, 1);
  }

  /** @throws HoldfastError `work-given-up` (cancelled) */
  throwIfStopped(): void {
    if (Atomics.load(this.#word, 0) !== 0)
      throw new HoldfastError(
        'cancelled',
        'work-given-up',
        'The backup or restore that this was part of was given up.',
      );
  }
}
