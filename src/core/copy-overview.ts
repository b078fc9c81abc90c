import type { Operation, Progress } from './operation.ts';
import type { VerificationState } from './ports/repository-check.ts';
import type { CopyReport } from './ports/repository-copy.ts';

export interface CopyOverview {
  id: string;
  location: string;
  /** `missing`: nothing was made there yet, or its disk is not there. */
  state: 'reachable' | 'missing' | 'unreachable';
  /** Why it is not reachable. */
  problem?: string;
  /** Backups in it, and how many of the repository's are not; pieces of logs and kept variants do not count. */
  backups?: number;
  behind?: number;
  bytes?: number;
}

/** Where nothing else is said, of backups alone. */
export interface CopySync extends Omit<CopyReport, 'present' | 'forgottenKept'> {
  /** Backups that were there already. */
  present: number;
  /** How many pieces of logs, kept variants and facts that are kept with them. */
  kept: { copied: number; present: number; forgotten: number };
  copyId: string;
  location: string;
  /** Of this sync's own look at a part of the copy's packs; absent in a dry run. */
  verification?: VerificationState;
}

/** The second and third copies of backups, in repositories of their own. */
export interface CopyManager {
  list(): Promise<readonly CopyOverview[]>;
  /**
   * Makes an empty copy where it is configured.
   * @throws `copy-not-configured` (not-found), `repository-exists` (conflict)
   */
  init(id: string): Promise<void>;
  /** Starts a sync as an operation (HTTP, the schedule). @throws `copy-not-configured` */
  startSync(id: string, options: { allowForgetMost?: boolean; createdBy: string }): Promise<Operation>;
  /**
   * Brings a copy in line, here and now: what is new is copied, what changed is changed, what the repository forgot goes to the
   * copy's trash; then a part of the copy is read and compared, and what no backup of it needs is removed.
   * @throws `copy-missing` (not-found), `copy-would-forget-most` (conflict)
   */
  sync(id: string, options: SyncOptions): Promise<CopySync>;
}

export interface SyncOptions {
  /** Default: all. */
  backupIds?: readonly string[];
  allowForgetMost?: boolean;
  dryRun?: boolean;
  signal?: AbortSignal;
  report?: (progress: Progress) => void;
}
