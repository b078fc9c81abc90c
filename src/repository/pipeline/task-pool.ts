import type { OpenSession, SessionCounts } from './messages.ts';
import type { SessionCallbacks } from './session-callbacks.ts';

/** Where the work on chunks is done: in worker threads, or in the calling thread. */
export interface TaskPool {
  /** How many tasks run at once. */
  readonly size: number;
  openSession(open: OpenSession, callbacks: SessionCallbacks): PoolSession;
  close(): Promise<void>;
}

/** One snapshot being written or read. */
export interface PoolSession {
  run(
    module: string,
    options: Readonly<Record<string, unknown>>,
    payload: unknown,
    transfer?: readonly ArrayBuffer[],
  ): Promise<unknown>;
  /** Closes open packs; resolves when they are durable. */
  flush(): Promise<void>;
  counts(): SessionCounts[];
  close(abort: boolean): Promise<void>;
}
