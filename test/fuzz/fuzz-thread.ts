import { Worker } from 'node:worker_threads';
import { LARGEST_INPUT } from './inputs.ts';

export interface FuzzLimits {
  /** Processor time for one input. */
  milliseconds: number;
  /** After so much time without an end of one input, it is taken for a hang. */
  hangMilliseconds: number;
  /** Resident memory that one input may add. */
  bytes: number;
  /** MiB of JavaScript objects, after which the thread is ended. */
  heap: number;
}

export interface FuzzTask {
  decoder: string;
  seed: number;
  runs: number;
}

export interface Finding {
  /** Which of the inputs. */
  number: number;
  problem: string;
  input: Uint8Array;
}

export type FuzzOutcome = { taken: number; refused: number; finding?: undefined } | { finding: Finding };

export const LIMITS: FuzzLimits = {
  milliseconds: 1000,
  hangMilliseconds: 15_000,
  bytes: 64 * 1024 * 1024,
  heap: 192,
};

/**
 * A thread that decoders run in, so that one that never ends, or takes all memory, ends the thread and not the tests. The input
 * at hand lies in shared memory: it outlives the thread.
 */
export class FuzzThread {
  readonly #module: string;
  readonly #limits: FuzzLimits;
  readonly #shared = new SharedArrayBuffer(8 + LARGEST_INPUT);
  readonly #state = new Int32Array(this.#shared, 0, 2);
  #worker: Worker | undefined;

  /** @param module exports `DECODERS` */
  constructor(module: URL, limits: FuzzLimits = LIMITS) {
    this.#module = module.href;
    this.#limits = limits;
  }

  async run(task: FuzzTask): Promise<FuzzOutcome> {
    const worker = this.#started();
    Atomics.store(this.#state, 0, -1);
    const { promise, resolve, reject } = Promise.withResolvers<FuzzOutcome>();
    const onDeath = (problem: string): void => {
      this.#worker = undefined;
      // A thread that hangs outside of JavaScript does not end; the process ends with the tests.
      void worker.terminate();
      if (this.#number < 0) reject(new Error(problem));
      else resolve({ finding: { number: this.#number, problem, input: this.#input } });
    };
    const onError = (error: unknown): void => onDeath(`it ended its thread: ${error}`);
    const watch = this.#watch(() => onDeath(`it did not end within ${this.#limits.hangMilliseconds} ms`));
    worker.on('message', resolve);
    worker.on('error', onError);
    try {
      worker.postMessage(task);
      return await promise;
    } finally {
      clearInterval(watch);
      worker.off('message', resolve);
      if (this.#worker !== undefined) worker.off('error', onError);
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #started(): Worker {
    this.#worker ??= new Worker(new URL('./fuzz-worker.ts', import.meta.url), {
      workerData: { module: this.#module, limits: this.#limits, shared: this.#shared },
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.heap },
    });
    return this.#worker;
  }

  /** Calls `onHang` where the same input is at hand for too long. */
  #watch(onHang: () => void): NodeJS.Timeout {
    let number = this.#number;
    let since = performance.now();
    return setInterval(() => {
      if (this.#number !== number || number < 0) {
        number = this.#number;
        since = performance.now();
      } else if (performance.now() - since > this.#limits.hangMilliseconds) {
        onHang();
      }
    }, 50);
  }

  get #number(): number {
    return Atomics.load(this.#state, 0);
  }

  get #input(): Uint8Array {
    return Uint8Array.from(new Uint8Array(this.#shared, 8, Atomics.load(this.#state, 1)));
  }
}
