import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FuzzedDecoder } from './decoder.ts';
import { Inputs } from './inputs.ts';

export interface FuzzLimits {
  /** Processor time for one input. */
  milliseconds: number;
  /** After so much time without an end of one input, it is taken for a hang. */
  hangMilliseconds: number;
  /** Resident memory that one input may add. */
  bytes: number;
  /** MiB of JavaScript objects, after which the process ends itself. */
  heap: number;
}

export interface FuzzTask {
  decoder: string;
  seed: number;
  runs: number;
}

/** What the process is told. */
export interface FuzzOrder extends FuzzTask {
  /** URL of a module that exports `DECODERS`. */
  module: string;
  limits: FuzzLimits;
}

export interface Finding {
  /** Which of the inputs. */
  number: number;
  problem: string;
  input: Uint8Array;
}

/** What the process tells at its end. */
export type FuzzResult = { taken: number; refused: number } | { number: number; problem: string };

export type FuzzOutcome = { taken: number; refused: number; finding?: undefined } | { finding: Finding };

export const LIMITS: FuzzLimits = {
  milliseconds: 1000,
  hangMilliseconds: 120_000,
  bytes: 64 * 1024 * 1024,
  heap: 192,
};

/**
 * Runs a decoder on its inputs in a process of its own, so that one that never ends, or takes all memory, ends that and not the
 * tests, and so that the memory which it is seen to take is its own. What it was given is made again from the seed.
 *
 * @param module exports `DECODERS`
 */
export async function fuzz(module: URL, task: FuzzTask, limits: FuzzLimits = LIMITS): Promise<FuzzOutcome> {
  const { DECODERS } = (await import(module.href)) as { DECODERS: readonly FuzzedDecoder[] };
  const decoder = DECODERS.find(({ name }) => name === task.decoder);
  if (decoder === undefined) throw new Error(`There is no decoder ${task.decoder}.`);
  const result = await new FuzzProcess({ ...task, module: module.href, limits }).result();
  if (!('problem' in result)) return result;
  const { number, problem } = result;
  return { finding: { number, problem, input: new Inputs(decoder, task.seed).at(number) } };
}

class FuzzProcess {
  readonly #child: ChildProcess;
  readonly #limits: FuzzLimits;
  /** The input at hand, and since when. */
  #number = -1;
  #since = performance.now();
  #complaints = '';
  #result: FuzzResult | undefined;

  constructor(order: FuzzOrder) {
    this.#limits = order.limits;
    this.#child = fork(fileURLToPath(new URL('./fuzz-worker.ts', import.meta.url)), [], {
      execArgv: [`--max-old-space-size=${order.limits.heap}`, '--expose-gc'],
      // Beside the channel, a pipe for the number of each input: it is written before the input is tried, whatever comes then.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
      // Large blocks go back to the system when they are freed, so that what one input took does not hide what the next takes.
      env: { ...process.env, MALLOC_MMAP_THRESHOLD_: '131072' },
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#complaints = (this.#complaints + bytes).slice(-10_000);
    });
    this.#child.stdio[4]?.on('data', (bytes: Buffer) => {
      this.#number = bytes.readInt32LE(bytes.length - 4);
      this.#since = performance.now();
    });
    this.#child.on('message', (result: FuzzResult) => {
      this.#result = result;
    });
    this.#child.send(order);
  }

  async result(): Promise<FuzzResult> {
    let hangs = false;
    const watch = setInterval(() => {
      if (this.#number < 0 || performance.now() - this.#since <= this.#limits.hangMilliseconds) return;
      hangs = true;
      this.#child.kill('SIGKILL');
    }, 50);
    const [code, signal] = await once(this.#child, 'close');
    clearInterval(watch);
    if (this.#result !== undefined) return this.#result;
    if (this.#number < 0) throw new Error(`The process did not come to its first input: ${this.#complaints}`);
    if (hangs) return { number: this.#number, problem: `it did not end within ${this.#limits.hangMilliseconds} ms` };
    const [complaint = ''] = /FATAL ERROR.*/.exec(this.#complaints) ?? [this.#complaints];
    return { number: this.#number, problem: `it ended its process (${signal ?? code}): ${complaint}` };
  }
}
