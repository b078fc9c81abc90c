import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { WorkerStart } from './messages.ts';

/** Data of a new thread: here it is told what it works for, which may be long after it was started. */
export interface WaitingStart {
  begin: MessagePort;
}

interface WaitingThread {
  worker: Worker;
  begin: MessagePort;
}

const waiting = new Set<WaitingThread>();

/**
 * Starts threads that load what they need while nobody knows yet which repository they are for. The next pools of this
 * process take them; they do not keep it alive.
 */
export function startWaitingThreads(count: number): void {
  while (waiting.size < count) {
    const thread = newThread();
    waiting.add(thread);
    // Whoever takes it hears of its end by itself; of one that ends before, the next one that is started tells.
    for (const event of ['error', 'exit']) thread.worker.once(event, () => waiting.delete(thread));
  }
}

/** A thread that waits, or a new one. It does not keep the process alive. */
export function beginThread(start: WorkerStart): Worker {
  const [thread = newThread()] = waiting;
  waiting.delete(thread);
  thread.begin.postMessage(start);
  return thread.worker;
}

function newThread(): WaitingThread {
  const { port1, port2 } = new MessageChannel();
  const workerData: WaitingStart = { begin: port2 };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData,
    transferList: [port2],
    resourceLimits: HEAP_LIMITS,
  });
  worker.unref();
  return { worker, begin: port1 };
}

/** Young objects die fast here; a large nursery would only hold more memory. Unit: MiB. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 8 };
