import type { StepProgress } from './step-progress.ts';

/** 0 settings and snapshots decode; 1 packs are there; 2 all trees resolve; 3 packs' SHA-256; 4 every chunk decodes. */
export type CheckLevel = 0 | 1 | 2 | 3 | 4;

export interface CheckOptions {
  level: CheckLevel;
  /** Only what these snapshots need; default: everything. */
  snapshotIds?: readonly string[];
  /**
   * Which packs levels 3 and 4 read: those never verified at that level first, then those verified longest ago, until the
   * budget is used up. Default: all.
   */
  budget?: CheckBudget;
  signal?: AbortSignal;
  report?: (progress: StepProgress) => void;
}

/** Each limit that is given counts; at least one pack that is due is read. */
export interface CheckBudget {
  /** Packs verified less than this long ago are left out. Milliseconds. */
  maxAgeMilliseconds?: number;
  /** Bytes of packs to read. */
  maxBytes?: number;
  /** Part of all packs' bytes to read, 0 to 1. */
  maxFraction?: number;
  /** No pack is begun after this time. Milliseconds. */
  maxDurationMilliseconds?: number;
}

export interface CheckFinding {
  severity: 'damage' | 'warning' | 'unsupported';
  /** Stable, kebab-case: `pack-missing`, `pack-hash-differs`, `chunk-undecodable` … */
  code: string;
  /** Key of the object in the storage. */
  object: string;
  message: string;
  /** Snapshots known to be hit. */
  snapshotIds?: readonly string[];
}

export interface CheckReport {
  level: CheckLevel;
  findings: readonly CheckFinding[];
  checked: { snapshots: number; packs: number; chunks: number; bytes: number };
  /** From level 1 on: what the ledger of verified packs says after this check. */
  verification?: VerificationState;
  durationMilliseconds: number;
}

/** How much of a repository's packs was read and found whole, and since when. */
export interface VerificationState {
  /** 3 or 4: what "verified" means here; the check's own level, at least 3. */
  level: CheckLevel;
  /** Part of the packs' bytes that was ever verified and not found damaged since, 0 to 1. */
  verifiedFraction: number;
  /** RFC 3339: all that is verified was so at this time or later; absent where nothing is. */
  oldestVerification?: string;
  /** Packs that were never verified, or found damaged when last read. */
  unverifiedPacks: number;
  /** Packs that were found damaged when last read. */
  damagedPacks: number;
}
