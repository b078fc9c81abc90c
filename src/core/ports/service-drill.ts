import type { Backup } from '../backup.ts';
import type { Assertion, DrillCheck, LogPoint } from '../drill.ts';
import type { Progress } from '../operation.ts';
import type { Resource } from '../resource.ts';
import type { ChainLink } from './chain-link.ts';
import type { LogReading } from './resource-log.ts';

/** What a service is given to restore a backup into a throw-away target and to check what came of it. */
export interface DrillContext {
  backup: Backup;
  /** As for a restore. */
  chain: readonly ChainLink[];
  /** The backed-up resource, where it still exists. Its source is neither needed nor touched. */
  resource?: Resource;
  /** The resource's log, where its service has logs. */
  log?: LogReading;
  /** RFC 3339: what the log is to be replayed to, instead of its end. Only of services whose logs tell `moments`. */
  moment?: string;
  /** The user's assertions, as `parseAssertions` gave them. */
  assertions: readonly Assertion[];
  /** Absolute path of a private, empty folder, removed when the drill ends, whatever way. Processes must have gone by then. */
  folder: string;
  /** Where every check is kept as soon as it was made, so that a drill that breaks off tells how far it came. */
  checks: DrillRecorder;
  signal: AbortSignal;
  report(progress: Progress): void;
  warn(message: string): void;
  /** @throws HoldfastError `drill-space-short` (unavailable) where the folder's disk has less room. @param bytes */
  requireRoom(bytes: number): Promise<void>;
  /**
   * To be called when the restored data could be used: it ends the measured recovery time.
   * @param reached how far the log brought them, if it did
   */
  dataReady(reached?: LogPoint): void;
}

/** A check before it was made. */
export type DrillQuestion = Pick<DrillCheck, 'name' | 'kind' | 'description' | 'subject' | 'expected'>;

/** What a check found. */
export type DrillFinding = Pick<DrillCheck, 'outcome' | 'found' | 'details'>;

export interface DrillRecorder {
  /**
   * Makes a check, measures it and keeps what it found. Where `look` throws, the check is kept as failed if the error says that
   * the backup is damaged, else as one that could not be made; the error is thrown on.
   */
  make(question: DrillQuestion, look: () => Promise<DrillFinding> | DrillFinding): Promise<DrillFinding>;
  /** Keeps what was measured elsewhere. */
  add(check: DrillCheck): void;
}

/** What came of a drill, beside its checks. The core decides by the checks whether it passed. */
export interface DrillOutcome {
  /** Bytes that were restored. */
  restoredBytes: number;
  /** Versions of what did it, for example `{ postgresql: '15.18' }`. */
  software: Readonly<Record<string, string>>;
}
