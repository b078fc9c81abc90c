import type { Storage } from '../../core/ports/storage.ts';
import type { RepositorySettings } from '../settings.ts';
import type { OpenSession, SessionCounts } from './messages.ts';
import { newThreadMemory, type ThreadMemory } from './range-source.ts';
import type { SessionCallbacks } from './session-callbacks.ts';
import type { PoolSession, TaskPool } from './task-pool.ts';
import { WorkerSession } from './worker-session.ts';

/**
 * Does the work of worker threads in the calling one, on the very storage that it was given: for small tools, and for tests that
 * decide what a storage does and when.
 */
export class InlinePool implements TaskPool {
  readonly size = 1;
  readonly #storage: Storage;
  readonly #settings: RepositorySettings;
  readonly #memory: ThreadMemory;

  constructor(storage: Storage, settings: RepositorySettings) {
    this.#storage = storage;
    this.#settings = settings;
    this.#memory = newThreadMemory(storage);
  }

  openSession(open: OpenSession, callbacks: SessionCallbacks): PoolSession {
    const { onPack, packOf, placesOf } = callbacks;
    return new InlineSession(
      new WorkerSession(
        {
          storage: this.#storage,
          settings: this.#settings,
          memory: this.#memory,
          onPack: (pack) => onPack?.(pack),
          packOf: async (number) => packOf(number),
          placesOf,
        },
        open,
      ),
    );
  }

  async close(): Promise<void> {
    // There is nothing that runs by itself.
  }
}

class InlineSession implements PoolSession {
  readonly #session: WorkerSession;

  constructor(session: WorkerSession) {
    this.#session = session;
  }

  async run(module: string, options: Readonly<Record<string, unknown>>, payload: unknown): Promise<unknown> {
    return (await this.#session.run(module, options, payload)).value;
  }

  flush(): Promise<void> {
    return this.#session.flush();
  }

  counts(): SessionCounts[] {
    const { counts } = this.#session;
    return counts === undefined ? [] : [counts];
  }

  close(abort: boolean): Promise<void> {
    return this.#session.close(abort);
  }
}
