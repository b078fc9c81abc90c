import type { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../core/errors.ts';
import type { WrittenPack } from '../pack-writer.ts';
import type { FromWorker, OpenSession, SessionCounts, ToWorker, WorkerStart } from './messages.ts';
import type { SessionCallbacks } from './session-callbacks.ts';
import type { PoolSession, TaskPool } from './task-pool.ts';
import { fromTransferredError, toTransferredError } from './transferred-error.ts';
import { beginThread } from './waiting-threads.ts';

/** The worker threads of one repository, started when first needed. Sessions of several snapshots share them. */
export class WorkerPool implements TaskPool {
  readonly size: number;
  readonly #start: WorkerStart;
  readonly #threads: Thread[] = [];
  readonly #queue: QueuedTask[] = [];
  readonly #sessions = new Map<number, { open: OpenSession; callbacks: SessionCallbacks }>();
  /** Writing sessions that lost a thread and with it chunks that others rely on: they must not commit. */
  readonly #broken = new Map<number, unknown>();
  #isClosed = false;
  #nextSession = 1;
  #nextTask = 1;

  constructor(start: WorkerStart, size: number) {
    this.#start = start;
    this.size = size;
  }

  openSession(open: OpenSession, callbacks: SessionCallbacks): PoolSession {
    if (this.#isClosed) throw repositoryClosed();
    this.#startThreads();
    const number = this.#nextSession++;
    this.#sessions.set(number, { open, callbacks });
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
      if (this.#isClosed) throw repositoryClosed();
      if (this.#broken.has(session)) throw this.#broken.get(session);
      this.#queue.push({ session, module, options, payload, transfer, resolve, reject });
      this.#dispatch();
    });
  }

  /** Has every thread make the packs of a session durable. */
  async flush(session: number): Promise<void> {
    // Threads that are gone would not object.
    if (this.#isClosed) throw repositoryClosed();
    if (this.#broken.has(session)) throw this.#broken.get(session);
    await this.#broadcast(session, (task) => ({ type: 'flush', session, task }));
  }

  /** Has every thread forget a session; its queued tasks are dropped, those that run go on. */
  async closeSession(session: number, abort: boolean): Promise<void> {
    this.#dropQueued((task) => task.session === session, sessionClosed());
    try {
      await this.#broadcast(session, (task) => ({ type: 'close', session, task, abort }));
    } finally {
      this.#sessions.delete(session);
      this.#broken.delete(session);
      for (const thread of this.#threads) thread.forget(session);
    }
  }

  /** Sends one message to every thread and waits for all answers. */
  async #broadcast(session: number, make: (task: number) => ToWorker): Promise<void> {
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

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#dropQueued(() => true, repositoryClosed());
    await Promise.all(this.#threads.splice(0).map((thread) => thread.terminate()));
  }

  #dropQueued(isDropped: (task: QueuedTask) => boolean, reason: unknown): void {
    for (const task of this.#queue.splice(0))
      if (isDropped(task)) task.reject(reason);
      else this.#queue.push(task);
  }

  #startThreads(): void {
    while (this.#threads.length < this.size) {
      const thread = new Thread(this.#start, {
        idle: () => this.#dispatch(),
        pack: (session, pack) => this.#sessions.get(session)?.callbacks.onPack?.(pack),
        callbacksOf: (session) => this.#sessions.get(session)?.callbacks,
        died: (error) => this.#goOnWithout(thread, error),
      });
      this.#threads.push(thread);
      // Readers go on where another thread died; what a writer stored there is lost, and so is the writer.
      for (const [session, { open }] of this.#sessions)
        if (!this.#broken.has(session)) thread.send({ type: 'open', session, open });
    }
  }

  #goOnWithout(thread: Thread, error: unknown): void {
    const index = this.#threads.indexOf(thread);
    if (index >= 0) this.#threads.splice(index, 1);
    for (const [session, { open }] of this.#sessions)
      if (open.writing !== undefined && !this.#broken.has(session)) this.#broken.set(session, error);
    this.#dropQueued(({ session }) => this.#broken.has(session), error);
    this.#dispatch();
  }

  #dispatch(): void {
    // Each thread that dies takes tasks with it, so one that cannot even start does not start for ever.
    if (this.#queue.length > 0 && !this.#isClosed) this.#startThreads();
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
  #isClosed = false;

  constructor(pool: WorkerPool, number: number) {
    this.#pool = pool;
    this.#number = number;
  }

  async run(
    module: string,
    options: Readonly<Record<string, unknown>>,
    payload: unknown,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<unknown> {
    if (this.#isClosed) throw sessionClosed();
    return this.#pool.run(this.#number, module, options, payload, transfer);
  }

  /** Closes open packs in all threads; resolves when they are durable. */
  async flush(): Promise<void> {
    if (this.#isClosed) throw sessionClosed();
    return this.#pool.flush(this.#number);
  }

  counts(): SessionCounts[] {
    return this.#pool.countsOf(this.#number);
  }

  async close(abort: boolean): Promise<void> {
    this.#isClosed = true;
    await this.#pool.closeSession(this.#number, abort);
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
  /** None where the session was closed. */
  callbacksOf(session: number): SessionCallbacks | undefined;
  died(error: unknown): void;
}

interface Asked {
  session: number;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** One worker thread and what it was asked. */
class Thread {
  readonly #worker: Worker;
  readonly #events: ThreadEvents;
  readonly #asked = new Map<number, Asked>();
  readonly #counts = new Map<number, SessionCounts>();
  #isDead = false;

  constructor(start: WorkerStart, events: ThreadEvents) {
    this.#events = events;
    this.#worker = beginThread(start);
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
    try {
      this.send(make(task), transfer);
    } catch (error) {
      // What cannot be sent (memory that has moved elsewhere, for instance) is not asked.
      this.#end(task)?.reject(error);
    }
  }

  countsOf(session: number): SessionCounts | undefined {
    return this.#counts.get(session);
  }

  forget(session: number): void {
    this.#counts.delete(session);
  }

  async terminate(): Promise<void> {
    // Its end is meant.
    this.#die(repositoryClosed());
    await this.#worker.terminate();
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'pack':
        this.#events.pack(message.session, message.pack);
        return;
      case 'pack-wanted':
        void this.#answer(message, ({ packOf }, request) => {
          return { type: 'pack-information', request, pack: packOf(message.pack) };
        });
        return;
      case 'places-wanted':
        void this.#answer(message, async ({ placesOf }, request) => {
          return { type: 'chunk-places', request, places: await placesOf(message.ids) };
        });
        return;
      case 'result':
      case 'error':
        this.#settle(message);
    }
  }

  /** The task that asked fails where its session was closed meanwhile or the index cannot be read: without an answer it would wait for ever. */
  async #answer(
    { request, session }: { request: number; session: number },
    find: (callbacks: SessionCallbacks, request: number) => ToWorker | Promise<ToWorker>,
  ): Promise<void> {
    try {
      const callbacks = this.#events.callbacksOf(session);
      if (callbacks === undefined) throw sessionClosed();
      this.send(await find(callbacks, request));
    } catch (error) {
      this.send({ type: 'no-answer', request, error: toTransferredError(error) });
    }
  }

  #settle(message: Extract<FromWorker, { type: 'result' | 'error' }>): void {
    const asked = this.#end(message.task);
    if (asked === undefined) return;
    if (message.type === 'error') asked.reject(fromTransferredError(message.error));
    else {
      // A task may outlast its session, which has no counts any more.
      if (message.counts !== undefined && this.#events.callbacksOf(asked.session) !== undefined)
        this.#counts.set(asked.session, message.counts);
      asked.resolve(message.value);
    }
    this.#events.idle();
  }

  #end(task: number): Asked | undefined {
    const asked = this.#asked.get(task);
    this.#asked.delete(task);
    if (this.#asked.size === 0) this.#worker.unref();
    return asked;
  }

  /** What a fault ends is said once by the fault and once by the end. */
  #die(error: unknown): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#events.died(error);
    for (const asked of this.#asked.values()) asked.reject(error);
    this.#asked.clear();
  }
}

function sessionClosed(): HoldfastError {
  return new HoldfastError('cancelled', 'session-closed', 'The work was given up.');
}

function repositoryClosed(): HoldfastError {
  return new HoldfastError('cancelled', 'repository-closed', 'The repository was closed while work was under way.');
}

/** Tasks given to a thread before it has finished the one at hand: one runs, one waits. */
const TASKS_AHEAD = 2;
