import type { Backup } from '../backup.ts';
import type { StepProgress } from './step-progress.ts';

export interface CollectionOptions {
  /** Only say what would be removed. */
  dryRun: boolean;
  /** The time against which the trash expires; default: the storage's. Nothing's safety depends on it. */
  now?: Date;
  /** A pack of which less than this part is needed is rewritten; 0 for none. Default 0.7. */
  repackBelow?: number;
  /** Go on though no backup is left, or half of them vanished without having been forgotten. */
  allowEmpty?: boolean;
  /** Also writes again what is encrypted under keys that were rotated since: of packs so many bytes (and one pack) in a round. */
  rewriteOldKeys?: { bytesPerRound: number /** Round after round, until nothing is left. */; all: boolean };
  signal?: AbortSignal;
  report?: (progress: StepProgress) => void;
}

/** What a collection did, or would do. Sizes in bytes. */
export interface CollectionReport {
  dryRun: boolean;
  /** `lost-race`: another collector was faster; nothing is wrong. */
  outcome: 'nothing-to-do' | 'removed' | 'would-remove' | 'lost-race';
  /** Of this collection, where it came to one. */
  round?: number;
  packsRemoved: number;
  /** Packs rewritten because little of them was needed; they are among the removed. */
  packsRepacked: number;
  /** What the storage has gained: removed packs less the new ones. In a dry run an estimate. */
  bytesFreed: number;
  /** Packs that were to go and that a backup made meanwhile needs. */
  packsKept: number;
  /** Packs of broken-off backups, among the removed. */
  orphanPacks: number;
  segmentsMerged: number;
  /** Packs left that are encrypted under keys that were rotated since, and their bytes. */
  oldKeyPacks: number;
  oldKeyBytes: number;
  /** Damaged objects in quarantine that rotated keys sealed. They stay until somebody deletes them. */
  oldKeyQuarantined: number;
  /** Descriptions of backups that were sealed again under the newest key. */
  sealedAgain: number;
  /** Forgotten backups whose time in the trash is over. */
  trashExpired: number;
  /** Snapshots removed that never counted: their writers ended before their commit did. */
  snapshotsVoided: number;
  /** Objects that the storage refused to delete (a retention lock); the next collection tries again. */
  refusedDeletes: number;
  liveChunks: number;
  /** Chunks that backups need and that are in no pack: see `check`. */
  missingChunks: number;
  durationMilliseconds: number;
}

export interface ForgottenSnapshot {
  id: string;
  /** RFC 3339 */
  forgottenAt: string;
  /** RFC 3339 */
  expiresAt: string;
  reason: string;
  backup: Backup;
}
