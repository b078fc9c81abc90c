import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { OperationManager } from './application.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation, OperationStatus } from './operation.ts';
import type { OperationFilter, Page, PageRequest } from './ports/catalogue.ts';

/** Operations of other processes are looked at this often while somebody watches them. */
const POLL_MILLISECONDS = 1000;
const ENDED: ReadonlySet<OperationStatus> = new Set(['completed', 'failed', 'cancelled']);

/** Whether an operation can change no more. */
export function hasEnded(operation: Operation): boolean {
  return ENDED.has(operation.status);
}

/** Follows and cancels operations, of this process and others. */
export class CatalogueOperationManager implements OperationManager {
  readonly #context: ManagerContext;

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  /** @throws HoldfastError `operation-not-found` (not-found) */
  async get(id: string): Promise<Operation> {
    const operation = await this.#context.catalogue.operations.get(id);
    if (operation !== undefined) return operation;
    const message = `There is no operation "${id}". List them with GET /operations.`;
    throw new HoldfastError('not-found', 'operation-not-found', message, { details: { operationId: id } });
  }

  async list(filter: OperationFilter, page: PageRequest): Promise<Page<Operation>> {
    return this.#context.catalogue.operations.page(filter, page);
  }

  async cancel(id: string): Promise<Operation> {
    const operation = await this.get(id);
    if (hasEnded(operation)) throw ended(operation);
    const { cancellations, queue, events } = this.#context;
    cancellations.add(id);
    try {
      const done = await queue.cancel(id);
      const now = await this.get(id);
      if (!done) throw hasEnded(now) ? ended(now) : runsElsewhere(now);
      events.publish(now);
      return now;
    } finally {
      cancellations.delete(id);
    }
  }

  async *watch(id: string, signal: AbortSignal): AsyncIterable<Operation> {
    const news = new News();
    const unsubscribe = this.#context.events.subscribe(id, (operation) => news.tell(operation));
    try {
      let shown: Operation | undefined;
      let live = false;
      while (!signal.aborted) {
        const told = news.take();
        live ||= told !== undefined;
        const current = told ?? (await this.get(id));
        // The catalogue's progress lags behind what this process tells its watchers.
        const stale = told === undefined && live && current.status === shown?.status;
        if (!stale && !isDeepStrictEqual(current, shown)) yield current;
        if (!stale) shown = current;
        if (hasEnded(current)) return;
        await news.wait(POLL_MILLISECONDS, signal);
      }
    } finally {
      unsubscribe();
    }
  }

  async wait(id: string, milliseconds: number, signal?: AbortSignal): Promise<Operation> {
    const timeout = AbortSignal.timeout(milliseconds);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    let latest: Operation | undefined;
    for await (const operation of this.watch(id, either)) latest = operation;
    return latest ?? this.get(id);
  }
}

/** Holds the newest state that was told, for one who takes it when there is time. */
class News {
  #operation: Operation | undefined;
  #wake = new AbortController();

  tell(operation: Operation): void {
    this.#operation = operation;
    this.#wake.abort();
  }

  take(): Operation | undefined {
    const operation = this.#operation;
    this.#operation = undefined;
    return operation;
  }

  /** Until there are news, the time is over or `signal` aborts. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#operation !== undefined) return;
    this.#wake = new AbortController();
    const either = AbortSignal.any([this.#wake.signal, signal]);
    await sleep(milliseconds, undefined, { signal: either }).catch((error: unknown) => {
      if (!either.aborted) throw error;
    });
  }
}

function ended(operation: Operation): HoldfastError {
  const message = `${operation.id} has ended already (${operation.status}) and cannot be cancelled.`;
  return new HoldfastError('conflict', 'operation-ended', message, { details: { status: operation.status } });
}

function runsElsewhere(operation: Operation): HoldfastError {
  const message = `${operation.id} runs in another process, perhaps a command on a terminal. Interrupt it there.`;
  return new HoldfastError('conflict', 'operation-elsewhere', message);
}
