import type { Principal } from './access.ts';
import type { DownloadMode } from './download-format.ts';
import type { DownloadLimits } from './grant.ts';
import type { Page, PageRequest } from './ports/catalogue.ts';
import type { DownloadChoice, DownloadFormat, SqlDialect } from './ports/service-download.ts';

/**
 * A developer's copies of backups: finds what a caller may have, and gives it as its target understands it. What is asked for by
 * somebody who may not have it is answered as what does not exist.
 */
export interface DownloadManager {
  /**
   * Finds what is asked for. Opens nothing in the repository.
   *
   * @throws HoldfastError `download-not-found` (not-found): unknown, or not for this caller; `snapshot-not-found` (not-found):
   * none that was asked for, or not for this caller; `resource-needed`, `download-choice-invalid` (invalid);
   * `variant-needed` (invalid): none but raw may be had, which has to be named; `reason-needed` (denied);
   * `variant-not-available`, `variant-blocked`, `format-not-offered`, `download-not-offered` (unsupported). Once it is known that the caller may know
   * the resource, `details.formats` says what its downloads can be.
   */
  find(request: DownloadRequest, signal: AbortSignal): Promise<Download>;
  /** What a caller may have, newest first. */
  list(request: SnapshotListRequest, signal: AbortSignal): Promise<Page<ListedSnapshot>>;
  /** SQL that makes each client that is fed with it fail with a message; undefined where nothing seals SQL here. */
  failure(message: string): string | undefined;
}

/** Format: by default the first one that the resource's service names. */
export interface DownloadRequest extends Partial<DownloadChoice> {
  principal: Principal;
  /** Default: the configured one, or the only one that the caller may have. */
  resourceId?: string;
  /** Default: the first one of the resource's policy that the caller may have. Never raw, unless the configuration says so. */
  variant?: string;
  /** What for, where a grant asks for it. */
  reason?: string;
  /** How long to wait for a variant that has to be made first; default: half a minute. */
  waitMilliseconds?: number;
  /** Of a variant that is not made yet: the newest older one that is there will do, while it is made. */
  stale?: 'ok';
  /** `latest`, a time or date by RFC 3339, or how long ago: `-7d`. */
  at?: string;
  /** A backup's id, or that of another tool's snapshot. */
  snapshotId?: string;
  /** For SQL; default `create`. */
  mode?: DownloadMode;
  /** For SQL; default `full`. */
  seal?: 'full' | 'none';
}

/** A recovery point that can be downloaded: a backup of a repository, or what another tool keeps. */
export interface Snapshot {
  id: string;
  resourceId: string;
  resourceType: string;
  origin: 'repository' | 'external';
  /** RFC 3339, UTC. */
  createdAt: string;
  completedAt: string;
  /** Bytes of its whole content, where that is known. */
  size?: number;
  /** What downloads of it can be, the default one first. */
  formats: readonly DownloadFormat[];
  dialect?: SqlDialect;
}

/** What was asked for and may be had, not opened yet. */
export interface Download {
  snapshot: Snapshot;
  variant: string;
  format: DownloadFormat;
  mode: DownloadMode;
  /** Of the snapshot that was asked for, whose variant is not made yet: this one is of an older snapshot. */
  newerId?: string;
  /** Whether whoever gets a part of it notices by the content alone. */
  isSealed: boolean;
  /** Hex. The same for the same choice of the same snapshot by the same version of Holdfast. */
  fingerprint: string;
  /**
   * Takes a place among the downloads under way.
   * @throws HoldfastError `download-limit-reached`, `downloads-busy` (too-many) with `details.retryAfterSeconds`
   */
  enter(): Promise<DownloadPlace>;
  /**
   * Opens it. The signal ends whatever was begun, whether bytes were asked for or not.
   * @param options `withoutMaking`: begins to make no variant that is not there yet
   * @throws HoldfastError `variant-being-made` (conflict), `variant-blocked` (unsupported), `variant-leaks` (damaged)
   */
  open(signal: AbortSignal, options?: { withoutMaking: boolean }): Promise<OpenDownload>;
}

export interface DownloadPlace {
  /** Tells that content is given from now on, which counts as a download. */
  begin(): void;
  /** Tells of bytes that were sent. */
  count(bytes: number): void;
  /** Must be called, once. */
  leave(): Promise<void>;
}

export interface OpenDownload {
  mediaType: string;
  /** With its dot. */
  fileExtension: string;
  /** Bytes of what `bytes` gives, where that is known. */
  length?: number;
  /** Hex, of what `bytes` gives, where that is known. */
  sha256?: string;
  isReproducible: boolean;
  acceptsRanges: boolean;
  /** By what a variant was made. */
  lineage?: { policyHash: string; epoch: string };
  /** May be called once. What is wrong before the first byte is thrown before a seal gives its own first byte. */
  bytes(range?: ByteRange): AsyncIterable<Uint8Array>;
}

export interface ByteRange {
  offset: number;
  length: number;
}

export interface SnapshotListRequest extends PageRequest {
  principal: Principal;
  resourceId?: string;
}

export interface ListedSnapshot extends Snapshot {
  /** Those that the caller may have, in the order of the policy. */
  variants: readonly ListedVariant[];
  /** Which of them is meant where none is named. */
  defaultVariant?: string;
  /** The newest restore drill that passed with this very snapshot. */
  proven?: { drillId: string; at: string };
}

export interface ListedVariant {
  name: string;
  /** `ready`: kept; `on-demand`: made when somebody asks; `building`: being made; `blocked`: cannot be made. */
  state: 'ready' | 'on-demand' | 'building' | 'blocked';
  /** Why it is blocked. */
  reason?: string;
  /** Bytes and hex, of what is kept, unsealed. */
  size?: number;
  sha256?: string;
}

/** Settings of downloads, `downloads` in holdfast.yaml. */
export interface DownloadConfiguration {
  /** What `GET /download` without a resource means for whoever may have it. */
  defaultResource?: string;
  /** What is given to who names no variant and may have none but raw; absent: an error that says so. */
  defaultVariant?: 'raw';
  /** Under way at once, all callers together. */
  maxConcurrent: number;
  /** For each caller, where a grant says nothing else. */
  limits: DownloadLimits;
  /** Seconds after which a client that takes nothing is given up. */
  idleSeconds: number;
  /** How long a ticket is good for, at most 60; 0: there are none. */
  ticketMinutes: number;
  /** How people reach the service, for the lines to copy: `https://backups.example.org`. */
  publicUrl?: string;
  /** The folder of masking policies. Absent: there are no variants but raw ones. */
  policyFolder?: string;
  /** The folder of tables and functions that policies may name (`lookup`, `js`). */
  transformerFolder?: string;
}

export const DEFAULT_DOWNLOADS: DownloadConfiguration = {
  maxConcurrent: 64,
  limits: {},
  idleSeconds: 60,
  ticketMinutes: 10,
};

/** Tables or paths of one download. */
export const MOST_PARTS = 1000;
/** Characters. */
export const LONGEST_REASON = 500;

/** The data as it was backed up. */
export const RAW_VARIANT = 'raw';
