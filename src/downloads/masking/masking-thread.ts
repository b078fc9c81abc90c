import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { RowSource } from './row-format.ts';
import type { BlockAnswer, BlockFault, BlockMessage, MaskedRows, ThreadStart } from './thread-messages.ts';

/** A block could not be masked, or its thread died. */
export class BlockError extends Error {
  readonly fault: BlockFault;

  constructor(fault: BlockFault) {
    super('a block of rows could not be masked');
    this.fault = fault;
  }
}

interface Asked {
  resolve(rows: MaskedRows): void;
  reject(error: Error): void;
}

/** One worker thread, which masks blocks one after the other. */
export class MaskingThread {
  readonly #worker: Worker;
  readonly #asked: Asked[] = [];
  readonly #told = new Set<number>();
  readonly #longestBlock: number;
  #watchdog: NodeJS.Timeout | undefined;
  #death: Error | undefined;

  /** @param longestBlock milliseconds after which a block's thread is ended */
  constructor(program: URL, start: ThreadStart, longestBlock: number) {
    this.#longestBlock = longestBlock;
    this.#worker = new Worker(program, {
      workerData: start,
      resourceLimits: HEAP_LIMITS,
      // Rules that a service's owner wrote in JavaScript run there: what they print may hold values, and our secrets are not theirs.
      stdout: true,
      stderr: true,
      env: compileCache(),
    });
    this.#worker.stdout.resume();
    this.#worker.stderr.resume();
    this.#worker.on('message', (answer: BlockAnswer) => this.#answered(answer));
    this.#worker.on('error', () => this.#die(threadEnded()));
    this.#worker.on('exit', () => this.#die(threadEnded()));
  }

  /** Blocks that it was given and has not answered. */
  get load(): number {
    return this.#asked.length;
  }

  /** The memory of `bytes` goes to the thread. */
  mask(
    source: { number: number; rows: RowSource },
    { bytes, firstOrdinal, isWatched }: Pick<BlockMessage, 'bytes' | 'firstOrdinal' | 'isWatched'>,
  ): Promise<MaskedRows> {
    return new Promise<MaskedRows>((resolve, reject) => {
      if (this.#death !== undefined) return reject(this.#death);
      const message: BlockMessage = { source: source.number, bytes, firstOrdinal, isWatched };
      if (!this.#told.has(source.number)) message.introduces = source.rows;
      this.#told.add(source.number);
      this.#asked.push({ resolve, reject });
      if (this.#asked.length === 1) this.#watch();
      this.#worker.postMessage(message, [bytes.buffer]);
    });
  }

  /** Resolves when the thread is no more; whoever waits for a block of it is told `reason`. */
  async end(reason: Error): Promise<void> {
    this.#die(reason);
    await this.#worker.terminate();
  }

  #answered(answer: BlockAnswer): void {
    const asked = this.#asked.shift();
    this.#watch();
    if ('fault' in answer) asked?.reject(new BlockError(answer.fault));
    else asked?.resolve(answer);
  }

  #watch(): void {
    clearTimeout(this.#watchdog);
    if (this.#asked.length === 0) return;
    this.#watchdog = setTimeout(() => void this.end(tookTooLong(this.#longestBlock)), this.#longestBlock);
  }

  #die(reason: Error): void {
    clearTimeout(this.#watchdog);
    this.#death ??= reason;
    for (const asked of this.#asked.splice(0)) asked.reject(this.#death);
  }
}

/** Unit: MiB. Young objects die fast here; a large nursery would only hold more memory. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 512 };

/** Where Node.js keeps what it has compiled: without it, a thread would compile all of its modules anew, for a third of a second. */
function compileCache(): { NODE_COMPILE_CACHE?: string } {
  const { NODE_COMPILE_CACHE } = process.env;
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
}

function tookTooLong(milliseconds: number): BlockError {
  return new BlockError({
    row: undefined,
    what: `a rule took longer than ${Math.round(milliseconds / 1000)} seconds for a block of rows, so its thread was ended`,
  });
}

function threadEnded(): BlockError {
  return new BlockError({ row: undefined, what: 'the thread that masked its rows ended unexpectedly' });
}

/** Why threads are ended that are no longer needed. */
export function givenUp(): HoldfastError {
  return new HoldfastError('cancelled', 'operation-cancelled', 'The making of the variant was given up.');
}
