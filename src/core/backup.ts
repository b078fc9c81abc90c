import type { StoredSidecar, StoredVariant } from './stored-variant.ts';

/** How a backup found what changed: everything read, since the latest backup, or since the latest full one. */
export const BACKUP_TYPES = ['full', 'incremental', 'differential'] as const;
export type BackupType = (typeof BACKUP_TYPES)[number];

export type BackupStatus = 'completed' | 'damaged';

/** The labels that the one who made the backup gave it. */
export interface BackupMetadata {
  version?: string;
  source?: string;
  tags: Readonly<Record<string, string>>;
  /** Days until the backup expires; absent means it never expires by age. */
  retentionDays?: number;
}

/** How the bytes can be given back: a JSON document, one stream of bytes, or a tree of files. */
export type ContentKind = 'document' | 'stream' | 'tree';

/** What a backup read and what it had to store. All sizes in bytes. */
export interface BackupStatistics {
  /** Bytes of the source, whether they had to be read or not. */
  sourceBytes: number;
  /** Bytes of the whole content, where `size` is that of a delta; absent in backups of earlier versions. */
  contentBytes?: number;
  /** Bytes that were really read and hashed. */
  readBytes: number;
  /** Plain bytes that no earlier backup had. */
  newBytes: number;
  /** Bytes that were written to the repository for this backup, compressed and sealed. */
  storedBytes: number;
  durationMilliseconds: number;
  files?: { total: number; new: number; changed: number; unmodified: number; directories: number; other: number };
}

/** Which part of a log a piece holds, in the words of the service. */
export interface BackupLogRange {
  from: string;
  to: string;
  facts: Readonly<Record<string, string | number | boolean>>;
}

/** The backup of another tool that a backup was taken from. */
export interface AdoptedSnapshot {
  /** As the service lists it. */
  id: string;
  createdAt: string;
  /** When it came into the repository; RFC 3339. */
  adoptedAt: string;
  /** What its bytes are, in the words of the service. */
  content?: string;
}

/** One recovery point of a resource. `id` is `backup-` and a ULID: opaque, sortable by time. */
export interface Backup {
  id: string;
  resourceId: string;
  resourceType: string;
  /** The registered service that made it and can restore it: `document`, `stream`, `files` … */
  service: string;
  type: BackupType;
  /** Present where something else was asked for than was made, for example an incremental without a base. */
  requestedType?: BackupType;
  status: BackupStatus;
  contentKind: ContentKind;
  /** Bytes of the whole content as it would be restored. For an incremental document: bytes of its delta. */
  size: number;
  /** Bytes of `size` after compression and deduplication, before encryption's overhead. */
  compressedSize: number;
  encrypted: boolean;
  /** `sha256:` and hex: of the canonical document, of the stream's bytes; for trees, of the root's list of chunks. */
  checksum: string;
  parentId?: string;
  baseFullId?: string;
  /** Made by a repair in the place of this backup, which misses something: it has all that is left, and says what is not. */
  derivedFrom?: string;
  /** Deltas between this backup and its full one; 0 for backups that restore by themselves. */
  chainLength: number;
  metadata: BackupMetadata;
  warnings: readonly string[];
  /** How many warnings there were; `warnings` holds the first 100. */
  warningCount: number;
  statistics: BackupStatistics;
  repositoryId: string;
  /** RFC 3339, UTC, milliseconds. `createdAt` is when the backup began and what point in time looks at. */
  createdAt: string;
  completedAt: string;
  expiresAt?: string;
  /** Present where it is no backup but a piece of a resource's log; `resourceId` is then the resource's and `~log`. */
  log?: BackupLogRange;
  /** Present where it is no backup but a masked or reduced copy of one; `resourceId` is then the resource's and `~variants`. */
  variant?: StoredVariant;
  /** Present where it is no backup but what was kept of one to make variants; `resourceId` as for variants. */
  sidecar?: StoredSidecar;
  /** Present where another tool made it; `createdAt` and `completedAt` are then when that was. */
  external?: AdoptedSnapshot;
  /** A held backup is deleted by nobody until the hold is lifted. */
  held: boolean;
}
