import type { KeyProvider } from './key-provider.ts';
import type { StepProgress } from './step-progress.ts';
import type { Storage } from './storage.ts';

/** A repository that copies go to, before it exists. */
export interface NewCopy {
  storage: Storage;
  /** Opens it; the first key slot is made with it. */
  provider: KeyProvider;
  /** Of that slot. */
  label: string;
  settings: {
    cipher: 'aes-256-gcm' | 'aes-256-cbc';
    codec: { name: 'raw' | 'gzip' | 'zstd'; level: number };
  };
}

export interface CopyOptions {
  /** Default: all that count. Bases of those named are copied with them. */
  snapshotIds?: readonly string[];
  /** Also forget here what the source does not have any more, into this repository's trash for so many days. */
  forgetMissing?: { trashDays: number /** Even if that is most of what is here. */; allowMost: boolean };
  /** Only say what would be done. */
  dryRun: boolean;
  signal?: AbortSignal;
  report?: (progress: StepProgress) => void;
}

/** What a copy did, or would do. */
export interface CopyReport {
  dryRun: boolean;
  /** Ids of snapshots that are here now and were not. */
  copied: readonly string[];
  /** Ids of those that were here already. */
  present: readonly string[];
  /** Among them, those whose hold, expiry, tags or state were brought in line. */
  updated: number;
  /** Ids of backups. */
  forgotten: readonly string[];
  /** Ids of pieces of logs, kept variants and what is kept with them. */
  forgottenKept: readonly string[];
  /** Those of which the source misses something, or which are damaged there: they are not here. */
  failed: readonly { snapshotId: string; code: string; message: string }[];
  /** Chunks read from the source, and their plain bytes. */
  chunks: number;
  bytes: number;
  durationMilliseconds: number;
}
