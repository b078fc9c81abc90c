import type { ErrorKind } from './errors.ts';

export type OperationKind =
  | 'backup'
  | 'restore'
  | 'verify'
  | 'prune'
  | 'repair'
  | 'copy'
  | 'recover'
  | 'drill'
  | 'adopt'
  | 'variant';
export type OperationStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';

/** Where an operation stands. `percent` is 0 to 100, whole; absent totals are unknown. Sizes in bytes. */
export interface Progress {
  percent: number;
  phase?: string;
  doneBytes?: number;
  totalBytes?: number;
  doneFiles?: number;
  totalFiles?: number;
  /** What is being worked on, for a person to read. */
  current?: string;
}

export interface OperationError {
  code: string;
  message: string;
  /** What sort of failure it was, so that who waited for the operation can answer accordingly. */
  kind?: ErrorKind;
}

/** One piece of work with a life of its own. `id` is `operation-` (or `restore-` for restores) and a ULID. */
export interface Operation {
  id: string;
  kind: OperationKind;
  status: OperationStatus;
  /** What to do, in the terms of the manager that runs this kind. Holds no secret. */
  input: Readonly<Record<string, unknown>>;
  resourceId?: string;
  backupId?: string;
  progress: Progress;
  result?: Readonly<Record<string, unknown>>;
  error?: OperationError;
  warnings: readonly string[];
  /** How often it was started: more than 1 after transient faults or a restart. */
  attempts: number;
  createdBy: string;
  createdAt: string;
  startedAt?: string;
  completedAt?: string;
}
