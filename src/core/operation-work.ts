import type { Operation, OperationError, Progress } from './operation.ts';

/** Does what an operation asks for; may be run again after a transient fault. Throws where it fails. */
export type OperationWork = (operation: Operation, context: OperationWorkContext) => Promise<OperationOutcome>;

export interface OperationWorkContext {
  signal: AbortSignal;
  report(progress: Progress): void;
  warn(message: string): void;
}

export interface OperationOutcome {
  result: Readonly<Record<string, unknown>>;
  /** The backup that was made. */
  backupId?: string;
  /** The work was done to its end and what it found is bad: the operation counts as failed and keeps its result. */
  failure?: OperationError;
}
