import type { LogReading, ResourceLog } from './resource-log.ts';

/** The files of a database's log as the database's own commands hand them over and ask for them (`holdfast wal-push`, `wal-get`). */
export interface LogFiles {
  /**
   * Stores a file, and some of those that wait behind it.
   * @throws HoldfastError `wal-file-differs` (conflict): another one of that name is stored
   */
  push(log: ResourceLog, path: string, options: { parallel: number }): Promise<PushedFile>;
  /**
   * Puts a file in its place, whole or not at all, and fetches some that will be asked for next.
   * @returns `absent`: the log has none of that name, as when its end is reached
   * @throws HoldfastError `wal-gap` (conflict), of kind damaged, … : then recovery must not go on
   */
  get(log: LogReading, request: LogFileRequest): Promise<'fetched' | 'absent'>;
  /** Puts a file in its place that an earlier `get` has fetched along. @returns false if there is none */
  takeFetched(request: Pick<LogFileRequest, 'resourceId' | 'name' | 'destination'>): Promise<boolean>;
}

export interface PushedFile {
  /** Whether it was stored before. */
  wasStored: boolean;
  /** Names of others that were stored along. */
  others: readonly string[];
}

export interface LogFileRequest {
  resourceId: string;
  name: string;
  destination: string;
  /** How many files that follow to fetch along. */
  prefetch: number;
  /** Give what is there before a gap, as if the log ended with it. */
  upToGap: boolean;
}
