import type { CaptureProgress, ResourceLog } from './ports/resource-log.ts';

/** How the following of one log stands, in the process that serves. */
export interface CaptureState {
  /** `waiting`: it failed and is begun again after a pause. */
  status: 'running' | 'waiting';
  /** RFC 3339: since when it has this status. */
  since: string;
  /** How often it failed since it last told that all is well. */
  failures: number;
  lastError?: { code: string; message: string; at: string };
  progress?: CaptureProgress & { at: string };
  /** The newest last. */
  warnings: readonly { message: string; at: string }[];
}

export interface LogOverview {
  resourceId: string;
  /** Whether the resource's configuration asks for its log to be kept. */
  kept: boolean;
  pieces: number;
  /** Bytes of all pieces, as they were before compression. */
  bytes: number;
  /** Where the log begins and ends, in the words of the service, and when those pieces were stored. */
  from?: string;
  to?: string;
  oldestAt?: string;
  newestAt?: string;
  /** Absent in processes that do not serve, and where the log is not kept. */
  capture?: CaptureState;
}

export interface LogManager {
  /** What is stored of a resource's log; an unknown resource has none. */
  of(resourceId: string): ResourceLog;
  /** @throws HoldfastError `resource-not-found` (not-found) */
  overview(resourceId: string): Promise<LogOverview>;
  /** By resource. */
  captures(): ReadonlyMap<string, CaptureState>;
}
