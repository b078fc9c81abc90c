import type { ByteString, MissingRange } from '../tree-entry.ts';
import type { CheckFinding } from './repository-check.ts';

export type RepairAction =
  | 'rebuild-index'
  | 'fetch-pack'
  | 'fetch-chunks'
  | 'salvage-pack'
  | 'clear-mark'
  | 'fetch-object'
  | 'quarantine-object'
  | 'derive-snapshot'
  /** Nothing can be done about it here. */
  | 'leave';

export interface RepairStep {
  action: RepairAction;
  /** Key of the object in the storage. */
  object: string;
  message: string;
}

export interface RepairReport {
  dryRun: boolean;
  /** What was damaged before. */
  findings: readonly CheckFinding[];
  /** What was done or, in a dry run, would be, in order. */
  steps: readonly RepairStep[];
  /** Backups that miss something after all. */
  incomplete: readonly IncompleteSnapshot[];
  durationMilliseconds: number;
}

export interface IncompleteSnapshot {
  snapshotId: string;
  /** The snapshot that says what is missing and has all the rest; absent in a dry run, and for documents. */
  derivedId?: string;
  /** Lost bytes, as far as it is known whose they are. */
  missingBytes: number;
  /** How many places there are; `missing` holds the first 1000. */
  missingCount: number;
  missing: readonly MissingContent[];
}

/** Bytes of a file or stream that are lost, or a part of a tree. */
export interface MissingContent extends MissingRange {
  /** The file; absent for streams. Where `lostUntil` is given, the first path of the part of the tree that is lost. */
  path?: ByteString;
  /** All from `path` up to, but not with, this path is lost; empty: to the end. */
  lostUntil?: ByteString;
  /** Files, folders and other names in the lost part; absent where that is not known. */
  lostEntries?: number;
}

export interface IndexRebuildReport {
  packs: number;
  chunks: number;
  segments: number;
  findings: readonly CheckFinding[];
}
