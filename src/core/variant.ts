import type { Backup } from './backup.ts';
import type { DownloadFormat } from './download-format.ts';
import type { Operation } from './operation.ts';
import type { DeclaredVariant, VariantContent } from './ports/variant-maker.ts';
import type { StoredVariant } from './stored-variant.ts';

/** A kept masked or reduced copy: listed in the catalogue like a backup, under an id that no user can give. */
export type KeptVariant = Backup & { variant: StoredVariant };

/** That a variant of a snapshot cannot be given, and why; holds until policy or key change, or somebody makes it again. */
export interface VariantBlock {
  id: string;
  resourceId: string;
  snapshotId: string;
  variant: string;
  /** Of the `DeclaredVariant` that could not be made. */
  fingerprint: string;
  code: string;
  /** Names table, column and rule, and no value. */
  message: string;
  problems: readonly unknown[];
  /** RFC 3339 */
  createdAt: string;
}

/** Which variant of which snapshot; `snapshotId` default: the newest one. */
export interface VariantRequest {
  resourceId: string;
  snapshotId?: string;
  variant: string;
  /** Default: the first one that the snapshot can be had as. */
  format?: DownloadFormat;
  database?: string;
  createdBy: string;
}

/** Which content variants are made of; `snapshotId` default: the newest one. */
export type VariantContentRequest = Pick<VariantRequest, 'resourceId' | 'snapshotId' | 'format' | 'database'>;

/** The masked and reduced copies that are kept, as operators see them. */
export interface VariantManager {
  /**
   * Begins to make one, or gives the operation that is making it already. What was found wrong with it before is forgotten.
   * @throws HoldfastError `snapshot-not-found` (not-found), `variant-not-available`, `variant-not-kept`, `variant-blocked`,
   * `format-not-offered` (unsupported)
   */
  build(request: VariantRequest, signal: AbortSignal): Promise<Operation>;
  /**
   * What variants are made of, for those who write policies: the snapshot that was asked for, then those before it, newest first; none where it is not there. Nothing that is
   * found out by them is kept.
   * @throws HoldfastError `format-not-offered` (unsupported)
   */
  contents(request: VariantContentRequest, signal: AbortSignal): AsyncIterable<VariantContent>;
  /** Of one resource: what is kept, newest first, and what cannot be made. */
  list(resourceId: string): Promise<VariantOverview>;
  /**
   * Removes what is kept of a variant of a snapshot, and forgets what was found wrong with it.
   * @returns ids of what was removed
   * @throws HoldfastError `variant-not-found` (not-found) where there is neither
   */
  remove(what: { resourceId: string; snapshotId: string; variant: string }): Promise<readonly string[]>;
  /**
   * Queues what policies want to be made ahead of each resource's newest snapshot and is not there: policies change, and what other
   * tools back up tells nobody. What is known to be impossible is left alone.
   */
  makeNewestAhead(signal?: AbortSignal): Promise<void>;
  /** Tells of each variant that was made or could not be, for metrics. */
  onEnd(listener: (end: VariantEnd) => void): void;
}

export interface VariantOverview {
  declared: readonly DeclaredVariant[];
  kept: readonly (KeptVariant & { isCurrent: boolean })[];
  blocks: readonly VariantBlock[];
}

export interface VariantEnd {
  outcome: 'made' | 'unavailable' | 'blocked' | 'leaked';
  resourceId: string;
  variant: string;
}

/** Whether it is made once and kept; others are made anew while they are downloaded. */
export function isKept({ kind, produce, verifiesByLoading }: DeclaredVariant): boolean {
  return kind === 'reduced' || produce === 'ahead' || verifiesByLoading;
}

/** Whether parts of it are parts of the kept copy: its rows were chosen to fit together, or only what was loaded is given. Parts of others are masked while they are downloaded. */
export function isCutFromKept({ kind, verifiesByLoading }: DeclaredVariant): boolean {
  return kind === 'reduced' || verifiesByLoading;
}
