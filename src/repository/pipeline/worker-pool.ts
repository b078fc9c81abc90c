import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { IndexedPack } from '../index-segment.ts';
import type { WrittenPack } from '../pack-writer.ts';
import type { FromWorker, OpenSession, SessionCounts, ToWorker, WorkerStart } from './messages.ts';
import type { ChunkPlace, SessionCallbacks } from './session-callbacks.ts';
import type { PoolSession, TaskPool } from './task-pool.ts';
import { fromTransferredError } from './transferred-error.ts';

/** The worker threads of one repository, started when first needed. Sessions of several snapshots share them. */
export class WorkerPool implements TaskPool {
  readonly size: number;
  readonly #start: WorkerStart;
  readonly #threads: Thread[] = [];
  readonly #queue: QueuedTask[] = [];
  readonly #sessions = new Map<number, SessionCallbacks>();
  /** Sessions that lost a thread and with it chunks that others rely on: they must not commit. */
  readonly #broken = new Map<number, unknown>();
  #nextSession = 1;
  #nextTask = 1;

  constructor(start: WorkerStart, size: number) {
    this.#start = start;
    this.size = size;
  }

  openSession(open: OpenSession, callbacks: SessionCallbacks): PoolSession {
    this.#startThreads();
    const number = this.#nextSession++;
    this.#sessions.set(number, callbacks);
    for (const thread of this.#threads) thread.send({ type: 'open', session: number, open });
    return new WorkerPoolSession(this, number);
  }

  /** Queues a task of a session for whichever thread is free first. */
  run(
    session: number,
    module: string,
    options: Readonly<Record<string, unknown>>,
    payload: unknown,
    transfer: readonly ArrayBuffer[],
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ session, module, options, payload, transfer, resolve, reject });
      this.#dispatch();
    });
  }

  /** Sends one message to every thread and waits for all answers. */
  async broadcast(session: number, make: (task: number) => ToWorker): Promise<void> {
    if (this.#broken.has(session)) throw this.#broken.get(session);
    const outcomes = await Promise.allSettled(
      this.#threads.map(
        (thread) => new Promise((resolve, reject) => thread.request(this.#nextTask++, make, session, resolve, reject)),
      ),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  countsOf(session: number): SessionCounts[] {
    return this.#threads.flatMap((thread) => thread.countsOf(session) ?? []);
  }

  /** Drops queued tasks of a session; those that run go on. */
  dropQueued(session: number, reason: unknown): void {
    for (let index = this.#queue.length - 1; index >= 0; index--) {
      const task = this.#queue[index];
      if (task?.session !== session) continue;
      this.#queue.splice(index, 1);
      task.reject(reason);
    }
  }

  forget(session: number): void {
    this.#sessions.delete(session);
    this.#broken.delete(session);
    for (const thread of this.#threads) thread.forget(session);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.terminate()));
  }

  #startThreads(): void {
    while (this.#threads.length < this.size) {
      this.#threads.push(
        new Thread(this.#start, {
          idle: () => this.#dispatch(),
          pack: (session, pack) => this.#sessions.get(session)?.onPack?.(pack),
          packOf: (session, number) => this.#sessions.get(session)?.packOf(number),
          placesOf: async (session, ids) => (await this.#sessions.get(session)?.placesOf(ids)) ?? [],
          died: (thread, error) => {
            const index = this.#threads.indexOf(thread);
            if (index >= 0) this.#threads.splice(index, 1);
            for (const session of this.#sessions.keys()) this.#broken.set(session, error);
          },
        }),
      );
    }
  }

  #dispatch(): void {
    for (;;) {
      const thread = this.#threads.reduce<Thread | undefined>(
        (least, each) => (least === undefined || each.load < least.load ? each : least),
        undefined,
      );
      if (thread === undefined || thread.load >= TASKS_AHEAD) return;
      const task = this.#queue.shift();
      if (task === undefined) return;
      const { session, module, options, payload } = task;
      thread.request(
        this.#nextTask++,
        (number) => ({ type: 'task', session, task: number, module, options, payload }),
        session,
        task.resolve,
        task.reject,
        task.transfer,
      );
    }
  }
}

/** One session's end in the main thread. */
class WorkerPoolSession implements PoolSession {
  readonly #pool: WorkerPool;
  readonly #number: number;

  constructor(pool: WorkerPool, number: number) {
    this.#pool = pool;
    this.#number = number;
  }

  run(
    module: string,
    options: Readonly<Record<string, unknown>>,
    payload: unknown,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<unknown> {
    return this.#pool.run(this.#number, module, options, payload, transfer);
  }

  /** Closes open packs in all threads; resolves when they are durable. */
  flush(): Promise<void> {
    return this.#pool.broadcast(this.#number, (task) => ({ type: 'flush', session: this.#number, task }));
  }

  counts(): SessionCounts[] {
    return this.#pool.countsOf(this.#number);
  }

  async close(abort: boolean): Promise<void> {
    this.#pool.dropQueued(this.#number, new HoldfastError('cancelled', 'session-closed', 'The work was given up.'));
    try {
      await this.#pool.broadcast(this.#number, (task) => ({ type: 'close', session: this.#number, task, abort }));
    } finally {
      this.#pool.forget(this.#number);
    }
  }
}

interface QueuedTask {
  session: number;
  module: string;
  options: Readonly<Record<string, unknown>>;
  payload: unknown;
  transfer: readonly ArrayBuffer[];
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

interface ThreadEvents {
  idle(): void;
  pack(session: number, pack: WrittenPack): void;
  packOf(session: number, number: number): IndexedPack | undefined;
  placesOf(session: number, ids: readonly Uint8Array[]): Promise<readonly ChunkPlace[]>;
  died(thread: Thread, error: unknown): void;
}

/** One worker thread and what it was asked. */
class Thread {
  readonly #worker: Worker;
  readonly #events: ThreadEvents;
  readonly #asked = new Map<
    number,
    { session: number; resolve: (value: unknown) => void; reject: (error: unknown) => void }
  >();
  readonly #counts = new Map<number, SessionCounts>();

  constructor(start: WorkerStart, events: ThreadEvents) {
    this.#events = events;
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: start,
      resourceLimits: HEAP_LIMITS,
    });
    this.#worker.unref();
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', () =>
      this.#die(
        new HoldfastError(
          'internal',
          'worker-exited',
          'A worker thread ended unexpectedly; its work was not completed. Try again.',
        ),
      ),
    );
  }

  get load(): number {
    return this.#asked.size;
  }

  send(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer as ArrayBuffer[]);
  }

  request(
    task: number,
    make: (task: number) => ToWorker,
    session: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
    transfer: readonly ArrayBuffer[] = [],
  ): void {
    // Only while something is asked does the thread keep the process alive.
    if (this.#asked.size === 0) this.#worker.ref();
    this.#asked.set(task, { session, resolve, reject });
    this.send(make(task), transfer);
  }

  countsOf(session: number): SessionCounts | undefined {
    return this.#counts.get(session);
  }

  forget(session: number): void {
    this.#counts.delete(session);
  }

  async terminate(): Promise<void> {
    this.#worker.removeAllListeners('exit');
    await this.#worker.terminate();
    this.#die(
      new HoldfastError('cancelled', 'repository-closed', 'The repository was closed while work was under way.'),
    );
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'pack':
        this.#events.pack(message.session, message.pack);
        return;
      case 'pack-wanted': {
        const pack = this.#events.packOf(message.session, message.pack);
        if (pack !== undefined) this.send({ type: 'pack-information', request: message.request, pack });
        return;
      }
      case 'places-wanted':
        void this.#answerPlaces(message.request, message.session, message.ids);
        return;
      case 'result':
      case 'error':
        this.#settle(message);
    }
  }

  /** Where the index cannot be read, the reader is told of chunks without a place; the same fault meets the main thread. */
  async #answerPlaces(request: number, session: number, ids: readonly Uint8Array[]): Promise<void> {
    const places = await this.#events.placesOf(session, ids).catch(() => []);
    this.send({ type: 'chunk-places', request, places });
  }

  #settle(message: Extract<FromWorker, { type: 'result' | 'error' }>): void {
    const asked = this.#asked.get(message.task);
    this.#asked.delete(message.task);
    if (this.#asked.size === 0) this.#worker.unref();
    if (asked === undefined) return;
    if (message.type === 'error') asked.reject(fromTransferredError(message.error));
    else {
      if (message.counts !== undefined) this.#counts.set(asked.session, message.counts);
      asked.resolve(message.value);
    }
    this.#events.idle();
  }

  #die(error: unknown): void {
    this.#events.died(this, error);
    for (const asked of this.#asked.values()) asked.reject(error);
    this.#asked.clear();
  }
}

/** Young objects die fast here; a large nursery would only hold more memory. Unit: MiB. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 8 };
/** Tasks given to a thread before it has finished the one at hand: one runs, one waits. */
const TASKS_AHEAD = 2;
