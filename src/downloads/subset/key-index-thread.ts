import { Worker } from 'node:worker_threads';
import type { ContentDialect } from '../content/content-schema.ts';
import type { GatheredIndex, IndexParts } from './key-index-builder.ts';
import type { IndexAnswer, IndexMessage, IndexStart } from './key-index-messages.ts';
import { wholeIndex } from './plain-index.ts';
import type { SubsetPlan } from './subset-plan.ts';
import { errorOf, threadDied } from './thread-fault.ts';

/**
 * Reads a content to its end in a thread of its own, and gives the parts of its index that are wanted; all by default.
 * @param options `isArchive`: the bytes are those of the archive that the content is made of (`TableContent.scanArchive`)
 * @throws HoldfastError what the reading of the content throws; `variant-failed` (invalid) for keys that are none; the abort's reason
 */
export async function buildKeyIndex(
  bytes: AsyncIterable<Uint8Array>,
  options: {
    dialect: ContentDialect;
    plan: SubsetPlan;
    parts?: IndexParts;
    isArchive?: boolean;
    signal: AbortSignal;
  },
): Promise<GatheredIndex> {
  const { dialect, plan, parts = { keys: true, facts: true }, isArchive = false, signal } = options;
  signal.throwIfAborted();
  const thread = new IndexThread({ dialect, plan, parts, isArchive });
  const giveUp = () => thread.fail(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const fed = feed(bytes, thread);
    // Its failure is that of the thread, or makes it fail.
    fed.catch((error: unknown) => thread.fail(error));
    const index = await thread.index;
    await fed;
    return index;
  } finally {
    signal.removeEventListener('abort', giveUp);
    await thread.end();
  }
}

/** Pieces that a thread may have before it has read one, and the bytes of each: messages are dear, and memory that is new as well. */
const AHEAD = 4;
const PIECE = 512 << 10;
/** That a thread may take to end by itself. */
const PATIENCE_MILLISECONDS = 5000;
const PROGRAM = new URL('./key-index-worker.ts', import.meta.url);

async function feed(bytes: AsyncIterable<Uint8Array>, thread: IndexThread): Promise<void> {
  let [piece, length] = [new Uint8Array(0), 0];
  for await (const part of bytes) {
    for (let from = 0; from < part.length; ) {
      if (length === 0) piece = new Uint8Array(await thread.memory());
      const taken = part.subarray(from, from + piece.length - length);
      piece.set(taken, length);
      length += taken.length;
      from += taken.length;
      if (length < piece.length) break;
      thread.send({ kind: 'piece', memory: piece.buffer, length });
      length = 0;
    }
  }
  if (length > 0) thread.send({ kind: 'piece', memory: piece.buffer, length });
  thread.send({ kind: 'end' });
}

class IndexThread {
  readonly index: Promise<GatheredIndex>;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #settle: { resolve(index: GatheredIndex): void; reject(error: unknown): void } | undefined;
  #failure: { error: unknown } | undefined;
  readonly #free = Array.from({ length: AHEAD }, () => new ArrayBuffer(PIECE));
  #wake: (() => void) | undefined;

  constructor(start: IndexStart) {
    this.#worker = new Worker(PROGRAM, { workerData: start });
    this.index = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#worker.on('message', (answer: IndexAnswer) => this.#receive(answer));
    this.#worker.on('error', (cause) => this.fail(threadDied(cause)));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.fail(threadDied());
        resolve();
      });
    });
  }

  send(message: IndexMessage): void {
    this.#worker.postMessage(message, message.kind === 'piece' ? [message.memory] : []);
  }

  /** Memory for the next piece, as soon as the thread has read an earlier one. @throws why it cannot any more */
  async memory(): Promise<ArrayBuffer> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const memory = this.#free.pop();
      if (memory !== undefined) return memory;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#settle?.reject(this.#failure.error);
    this.#wake?.();
  }

  /** Ends the thread, which first takes away what it made: a database that it reads lies in a file of its own. */
  async end(): Promise<void> {
    this.send({ kind: 'give-up' });
    const impatience = setTimeout(() => void this.#worker.terminate(), PATIENCE_MILLISECONDS);
    await this.#ended;
    clearTimeout(impatience);
  }

  #receive(answer: IndexAnswer): void {
    if (answer.kind === 'more') {
      this.#free.push(answer.memory);
      this.#wake?.();
    } else if (answer.kind === 'fault') {
      this.fail(errorOf(answer.fault));
    } else this.#settle?.resolve(wholeIndex(answer.index));
  }
}
