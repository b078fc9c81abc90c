import { extname } from 'node:path';
import { type Transferable, Worker } from 'node:worker_threads';
import type { ContentDialect } from '../content/content-schema.ts';
import type { KeyIndex } from './key-index.ts';
import type { IndexAnswer, IndexMessage, IndexStart } from './key-index-messages.ts';
import { wholeKeyIndex } from './plain-key-index.ts';
import type { SubsetPlan } from './subset-plan.ts';
import { errorOf, threadDied } from './thread-fault.ts';

/**
 * Reads a content to its end in a thread of its own, and gives the index of its keys.
 * @throws HoldfastError what the reading of the content throws; `variant-failed` (invalid) for keys that are none; the abort's reason
 */
export async function buildKeyIndex(
  bytes: AsyncIterable<Uint8Array>,
  { dialect, plan, signal }: { dialect: ContentDialect; plan: SubsetPlan; signal: AbortSignal },
): Promise<KeyIndex> {
  signal.throwIfAborted();
  const thread = new IndexThread({ dialect, plan });
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

/** Pieces that a thread may have before it has asked for more. */
const AHEAD = 8;
/** That a thread may take to end by itself. */
const PATIENCE_MILLISECONDS = 5000;
const PROGRAM = new URL(`./key-index-worker${extname(import.meta.filename)}`, import.meta.url);

async function feed(bytes: AsyncIterable<Uint8Array>, thread: IndexThread): Promise<void> {
  for await (const piece of bytes) {
    await thread.ready();
    thread.send({ kind: 'piece', bytes: new Uint8Array(piece) });
  }
  thread.send({ kind: 'end' });
}

class IndexThread {
  readonly index: Promise<KeyIndex>;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #settle: { resolve(index: KeyIndex): void; reject(error: unknown): void } | undefined;
  #failure: { error: unknown } | undefined;
  #ahead = AHEAD;
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
    const moved: Transferable[] = message.kind === 'piece' ? [message.bytes.buffer] : [];
    this.#worker.postMessage(message, moved);
  }

  /** Resolves when the thread can take a piece. @throws why it cannot any more */
  async ready(): Promise<void> {
    while (this.#ahead === 0 && this.#failure === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#ahead--;
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
      this.#ahead++;
      this.#wake?.();
    } else if (answer.kind === 'fault') {
      this.fail(errorOf(answer.fault));
    } else this.#settle?.resolve(wholeKeyIndex(answer.index));
  }
}
