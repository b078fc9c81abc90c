import { Worker } from 'node:worker_threads';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import {
  type PreparedDocument,
  type PrepareTask,
  prepareDocument,
  rebuildDocument,
  type StoredLink,
} from './document-work.ts';
import type { DocumentAnswer, DocumentTask } from './document-worker.ts';

/** Work on more bytes than this goes to a thread of its own; less takes no longer than starting one. */
const INLINE_BYTES = 1 << 20;
/** Threads at once; further work waits. */
const THREADS = 2;
/** Heap that one thread may use, MiB. A document takes about ten times its bytes while it is compared. */
const HEAP_MEBIBYTES = 8192;

/**
 * Does the work of `document-work.ts`: at once where it is small, otherwise in a worker thread that lives for this one task,
 * so that the service goes on answering meanwhile and the memory is given back afterwards.
 *
 * The bytes that are handed in belong to the runner from then on; they may be moved to another thread.
 */
export class DocumentRunner {
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @throws HoldfastError as `prepareDocument`; `operation-cancelled` (cancelled); `document-needs-memory` (too-large) */
  async prepare(task: PrepareTask, signal: AbortSignal): Promise<PreparedDocument> {
    if (task.input.byteLength + bytesOf(task.chain) <= INLINE_BYTES) return prepareDocument(task);
    const buffers = [task.input, ...task.chain.map((link) => link.bytes)];
    const answer = await this.#inThread({ kind: 'prepare', task }, buffers, signal);
    if ('prepared' in answer) return answer.prepared;
    throw unexpected();
  }

  /** @throws HoldfastError as `rebuildDocument`; `operation-cancelled` (cancelled); `document-needs-memory` (too-large) */
  async rebuild(chain: readonly StoredLink[], signal: AbortSignal): Promise<Uint8Array> {
    if (chain.length === 1 || bytesOf(chain) <= INLINE_BYTES) return rebuildDocument(chain);
    const buffers = chain.map((link) => link.bytes);
    const answer = await this.#inThread({ kind: 'rebuild', chain }, buffers, signal);
    if ('rebuilt' in answer) return answer.rebuilt;
    throw unexpected();
  }

  async #inThread(task: DocumentTask, owned: readonly Uint8Array[], signal: AbortSignal): Promise<DocumentAnswer> {
    await this.#enter();
    try {
      return await runThread(task, owned, signal);
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < THREADS) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Hands its place to whoever waits longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}

function runThread(task: DocumentTask, owned: readonly Uint8Array[], signal: AbortSignal): Promise<DocumentAnswer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(cancelled());
      return;
    }
    const worker = new Worker(new URL('./document-worker.ts', import.meta.url), {
      workerData: task,
      transferList: owned.map((bytes) => bytes.buffer as ArrayBuffer),
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEBIBYTES },
    });
    const abort = () => {
      reject(cancelled());
      void worker.terminate();
    };
    signal.addEventListener('abort', abort, { once: true });
    worker.on('message', (answer: DocumentAnswer) => {
      if ('fault' in answer) reject(errorOf(answer.fault));
      else resolve(answer);
    });
    worker.on('error', (error) => reject(threadError(error)));
    worker.on('exit', () => {
      signal.removeEventListener('abort', abort);
      reject(unexpected());
    });
  });
}

function errorOf(fault: Extract<DocumentAnswer, { fault: unknown }>['fault']): HoldfastError {
  return new HoldfastError(fault.kind, fault.code, fault.message, { details: fault.details });
}

function threadError(error: unknown): unknown {
  if (systemErrorCode(error) !== 'ERR_WORKER_OUT_OF_MEMORY') return error;
  const message = `The document needs more than ${HEAP_MEBIBYTES} MiB of memory to be worked on. Split it, or post it as a raw stream.`;
  return new HoldfastError('too-large', 'document-needs-memory', message, { cause: error });
}

function cancelled(): HoldfastError {
  return new HoldfastError('cancelled', 'operation-cancelled', 'The work on the document was cancelled.');
}

function unexpected(): HoldfastError {
  const message = 'The thread that works on documents ended without an answer. Try again.';
  return new HoldfastError('internal', 'document-thread-ended', message);
}

function bytesOf(chain: readonly StoredLink[]): number {
  let bytes = 0;
  for (const link of chain) bytes += link.bytes.byteLength;
  return bytes;
}
