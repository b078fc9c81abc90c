import type { Operation } from '../operation.ts';

/** Hands operations to workers. The operation's row in the catalogue is what survives a crash; the queue only moves it on. */
export interface WorkQueue {
  /** Stores the operation as queued and wakes a worker. */
  enqueue(operation: Operation): Promise<void>;
  /** Begins to run queued operations, at most `concurrency` at once. */
  start(run: OperationRunner): Promise<void>;
  /** Asks a queued or running operation to stop. @returns false if it had ended already */
  cancel(operationId: string): Promise<boolean>;
  /** Takes no more; lets what runs end for up to `graceMilliseconds`, then aborts it. */
  stop(graceMilliseconds: number): Promise<void>;
}

/** Runs one operation to its end and records how it ended; `signal` aborts it. Never rejects. */
export type OperationRunner = (operation: Operation, signal: AbortSignal) => Promise<void>;
