import type { ApiToken, AuditEvent, LocalUser } from '../access.ts';
import type { Backup, BackupType } from '../backup.ts';
import type { Drill, DrillStanding, DrillVerdict } from '../drill.ts';
import type { Operation, OperationKind, OperationStatus } from '../operation.ts';
import type { Policy } from '../policy.ts';
import type { Resource } from '../resource.ts';
import type { Schedule } from '../schedule.ts';
import type { Ticket } from '../ticket.ts';
import type { UndeliveredNotification } from '../undelivered-notification.ts';
import type { VariantBlock } from '../variant.ts';

/**
 * The database of what exists and what was done. Of backups it is only a fast copy: the truth lies in the repositories'
 * snapshots, and `recover` rebuilds it from there.
 */
export interface Catalogue {
  readonly resources: ResourceTable;
  readonly backups: BackupTable;
  readonly operations: OperationTable;
  readonly policies: DocumentTable<Policy>;
  readonly schedules: ScheduleTable;
  readonly tokens: DocumentTable<ApiToken>;
  readonly users: DocumentTable<LocalUser>;
  readonly drills: DrillTable;
  readonly downloadUsage: DownloadUsageTable;
  readonly tickets: TicketTable;
  readonly variantBlocks: DocumentTable<VariantBlock>;
  readonly undelivered: DocumentTable<UndeliveredNotification>;
  readonly audit: AuditTable;
  readonly idempotency: IdempotencyTable;
  close(): Promise<void>;
}

/** Newest first unless said otherwise. `cursor` is the `nextCursor` of the page before. */
export interface PageRequest {
  limit: number;
  cursor?: string;
}
export interface Page<Item> {
  items: readonly Item[];
  nextCursor?: string;
}

/** Small tables whose rows are read and written whole, oldest first. */
export interface DocumentTable<Item extends { id: string }> {
  get(id: string): Promise<Item | undefined>;
  list(): Promise<readonly Item[]>;
  isEmpty(): Promise<boolean>;
  put(item: Item): Promise<void>;
  /** Atomic, so that another change or a removal at the same moment, of whatever process, stays. Without effect on what is gone. */
  change(id: string, change: (item: Item) => Item): Promise<Item | undefined>;
  /** @returns false if it was not there */
  delete(id: string): Promise<boolean>;
}

export interface ScheduleTable extends DocumentTable<Schedule> {
  /**
   * Says what a schedule started last. Atomic, so that a change or a removal at the same moment stays; without effect on one that
   * is gone, or that has started something later.
   */
  recordRun(id: string, run: { lastRunAt: string; lastOperationId: string }): Promise<void>;
}

export interface ResourceTable extends Omit<DocumentTable<Resource>, 'isEmpty' | 'change'> {
  page(request: PageRequest): Promise<Page<Resource>>;
  /** Inserts unless the id exists. @returns the row that is there now */
  ensure(resource: Resource): Promise<Resource>;
}

/** Pieces of logs are among the backups of `<resource>~log` alone, kept variants among those of `<resource>~variants`. */
export interface BackupFilter {
  resourceId?: string;
  resourceType?: string;
  type?: BackupType;
  service?: string;
  /** `name` or `name=value` */
  tag?: string;
  /** RFC 3339; inclusive and exclusive bound of `createdAt` */
  from?: string;
  until?: string;
  /** Ids or patterns ending in `*` that the caller may see. */
  resources?: readonly string[];
}

export interface BackupTable {
  insert(backup: Backup): Promise<void>;
  /** Inserts or replaces (recovery). */
  put(backup: Backup): Promise<void>;
  /** Changes what the row says at this moment. @returns undefined if it is not there, and nothing is entered */
  update(id: string, change: (backup: Backup) => Backup): Promise<Backup | undefined>;
  get(id: string): Promise<Backup | undefined>;
  page(filter: BackupFilter, request: PageRequest): Promise<Page<Backup>>;
  count(filter: BackupFilter): Promise<number>;
  /** The newest completed backup of a resource, of `type` if given. */
  latest(resourceId: string, type?: BackupType): Promise<Backup | undefined>;
  /** The newest backup of each of these resources that exists and has one, by the resource's id. */
  newestOf(resourceIds: readonly string[]): Promise<ReadonlyMap<string, NewestBackup>>;
  /** The newest completed backup created at or before `time`, among the newest `maxSnapshots` of the resource. */
  atOrBefore(resourceId: string, time: string, maxSnapshots: number): Promise<Backup | undefined>;
  /** Backups whose chain goes through `id`, nearest first: direct and indirect. */
  dependants(id: string): Promise<readonly Backup[]>;
  /** All backups of a resource, newest first. */
  allOf(resourceId: string): Promise<readonly Backup[]>;
  /** Backups with `expiresAt` ≤ `time`, oldest first. */
  expired(time: string): Promise<readonly Backup[]>;
  /** Ids of all backups of a repository. */
  idsOf(repositoryId: string): Promise<ReadonlySet<string>>;
  /** Among these, what is no backup: pieces of logs, kept variants and what is kept with them. */
  keptIdsOf(repositoryId: string): Promise<ReadonlySet<string>>;
  delete(id: string): Promise<boolean>;
  /** @returns false if the row says at this moment that it is held: it stays */
  deleteUnlessHeld(id: string): Promise<boolean>;
  totals(): Promise<{ backups: number; bytes: number; storedBytes: number; resources: number; newest?: string }>;
}

export type NewestBackup = Pick<Backup, 'id' | 'createdAt'>;

export interface OperationFilter {
  kind?: OperationKind;
  status?: OperationStatus;
  resourceId?: string;
  resources?: readonly string[];
}

export interface OperationTable {
  insert(operation: Operation): Promise<void>;
  /** Stores an operation that its own process runs at once (the command line's): no queue may claim it. */
  insertRunning(operation: Operation, owner: string): Promise<void>;
  get(id: string): Promise<Operation | undefined>;
  /**
   * @param expected changes the operation only while it has this status
   * @returns false if it was not there, or had another status
   */
  update(id: string, change: Partial<Operation>, expected?: OperationStatus): Promise<boolean>;
  page(filter: OperationFilter, request: PageRequest): Promise<Page<Operation>>;
  withStatus(status: OperationStatus): Promise<readonly Operation[]>;
  /** Takes the oldest queued operation for this process, atomically among processes; undefined if there is none. */
  claim(owner: string): Promise<Operation | undefined>;
  /** Running operations whose owner is not in `owners`. */
  orphaned(owners: readonly string[]): Promise<readonly Operation[]>;
  /** Deletes operations that have ended and were asked for before a time (RFC 3339). @returns how many */
  deleteEnded(before: string): Promise<number>;
  /** The distinct owners of all running operations. */
  owners(): Promise<readonly string[]>;
}

export interface DrillFilter {
  resourceId?: string;
  outcome?: DrillVerdict;
  resources?: readonly string[];
}

/** The evidence of restore drills. Rows are never changed; they outlive backups and resources. */
export interface DrillTable {
  insert(drill: Drill): Promise<void>;
  get(id: string): Promise<Drill | undefined>;
  page(filter: DrillFilter, request: PageRequest): Promise<Page<Drill>>;
  standing(resourceId: string): Promise<DrillStanding>;
  /** Of every resource that exists and was drilled. */
  standings(): Promise<readonly DrillStanding[]>;
  /** The newest drill that passed of each of these backups that has one, by the backup's id. */
  proofs(backups: readonly { id: string; resourceId: string }[]): Promise<ReadonlyMap<string, DrillProof>>;
}

/** That a backup was proven to restore, and when. */
export interface DrillProof {
  drillId: string;
  at: string;
}

/** What downloads used of their limits, by account and period (`2026-11-21T14` for an hour, `2026-11-21` for a day, UTC). */
export interface DownloadUsageTable {
  get(account: string, period: string): Promise<DownloadUsage>;
  /** Adds; forgets what is more than two days older. */
  add(account: string, period: string, used: DownloadUsage): Promise<void>;
}

export interface DownloadUsage {
  downloads: number;
  bytes: number;
}

/** One-time leaves to download. */
export interface TicketTable {
  /**
   * Forgets all that were made before `since`, and inserts one unless its owner has `open` that could be used, or has had `sinceThen` since. Atomic among
   * processes.
   * @returns undefined, or which limit its owner has reached, and when (RFC 3339) it is reached no more
   */
  insert(
    ticket: Ticket,
    within: { open: number; since: string; sinceThen: number },
  ): Promise<{ limit: 'open' | 'sinceThen'; retryAt: string } | undefined>;
  /** @param hash hex SHA-256 of the secret */
  get(hash: string): Promise<Ticket | undefined>;
  /** Uses one up. @returns false where it is not there, has expired, or was used: of all who try, in whatever process, one gets true */
  take(hash: string, now: string): Promise<boolean>;
  /** Forgets those that were made before a time (RFC 3339). */
  expire(before: string): Promise<void>;
}

export interface AuditTable {
  /** Appends with the next sequence number and the chain's hash. */
  append(event: Omit<AuditEvent, 'sequence' | 'previousHash' | 'hash'>): Promise<AuditEvent>;
  page(filter: { actor?: string; action?: string; subject?: string }, request: PageRequest): Promise<Page<AuditEvent>>;
  /** Recomputes the chain. @returns the first sequence number that does not fit, if any */
  verify(): Promise<{ events: number; brokenAt?: number }>;
}

/** Answers kept for repeated requests with the same `Idempotency-Key`. */
export interface IdempotencyTable {
  /** Claims a key for a request. `fingerprint` is a hash of actor, route and body. */
  begin(
    key: string,
    fingerprint: string,
    now: string,
  ): Promise<{ state: 'new' | 'in-progress' | 'mismatch' } | { state: 'done'; status: number; body: string }>;
  finish(key: string, status: number, body: string): Promise<void>;
  /** Frees a key whose request failed without effect. */
  abandon(key: string): Promise<void>;
  expire(before: string): Promise<void>;
}
