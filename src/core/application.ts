import type { ApiToken, AuditEvent, Principal, Role } from './access.ts';
import type { AdoptionManager } from './adoption-manager.ts';
import type { Backup, BackupMetadata, BackupType } from './backup.ts';
import type { CopyManager } from './copy-overview.ts';
import type { DownloadManager } from './download.ts';
import type { DrillManager } from './drill-request.ts';
import type { Grant } from './grant.ts';
import type { LogManager } from './log-overview.ts';
import type { Operation, OperationKind, OperationStatus, Progress } from './operation.ts';
import type { Policy, RetentionRules } from './policy.ts';
import type { BackupFilter, NewestBackup, Page, PageRequest } from './ports/catalogue.ts';
import type { Credentials } from './ports/identity-provider.ts';
import type { KeyProvider } from './ports/key-provider.ts';
import type { ContentDamage, KeySlot, RepairOptions, Repository, RepositoryStatistics } from './ports/repository.ts';
import type { CheckBudget, CheckLevel, CheckReport } from './ports/repository-check.ts';
import type { CollectionOptions, CollectionReport, ForgottenSnapshot } from './ports/repository-collection.ts';
import type { RepairReport } from './ports/repository-repair.ts';
import type { Resource } from './resource.ts';
import type { ResourceTest } from './resource-test.ts';
import type { Schedule } from './schedule.ts';
import type { TicketManager } from './ticket-request.ts';
import type { TreeEntry } from './tree-entry.ts';
import type { UserManager } from './user-manager.ts';
import type { ValidationResult } from './validator.ts';
import type { VariantManager } from './variant.ts';

/**
 * All that Holdfast can do, as the HTTP API and the CLI see it: the managers of the core, joined in `main.ts`. Methods throw
 * `HoldfastError`s; they do not check roles (the door does) but they do honour `Principal.resources` where one is passed.
 */
export interface Application {
  readonly version: string;
  readonly backups: BackupManager;
  readonly adoptions: AdoptionManager;
  readonly restores: RestoreManager;
  readonly drills: DrillManager;
  readonly downloads: DownloadManager;
  readonly tickets: TicketManager;
  readonly variants: VariantManager;
  readonly resources: ResourceManager;
  readonly operations: OperationManager;
  readonly policies: PolicyManager;
  readonly schedules: ScheduleManager;
  readonly repositories: StorageManager;
  readonly copies: CopyManager;
  readonly logs: LogManager;
  readonly access: AccessManager;
  readonly users: UserManager;
  readonly audit: AuditLog;
  readonly idempotency: import('./ports/catalogue.ts').IdempotencyTable;
  /** `document`, `stream`, `files` … */
  readonly services: readonly {
    name: string;
    description: string;
    source: 'posted' | 'fetched';
    backupTypes: readonly BackupType[];
  }[];
  health(): Promise<Health>;
  /** What the catalogue holds, for metrics. */
  totals(): Promise<{ backups: number; bytes: number; storedBytes: number; resources: number; newest?: string }>;
  /** Tells of each backup that ends, whoever started it; `backup` is absent where it failed. For metrics. */
  onBackupEnd(listener: (end: { type: BackupType; backup?: Backup }) => void): void;
  /** Starts the queue, the scheduler and the cleanup; the CLI's own commands run without. */
  startBackground(): Promise<void>;
  /** Ends cleanly: background work stops, what runs is finished or cancelled, everything is closed. */
  close(graceMilliseconds?: number): Promise<void>;
}

export interface Health {
  status: 'ok' | 'degraded';
  version: string;
  uptimeSeconds: number;
  checks: readonly { name: string; status: 'ok' | 'failing'; message?: string }[];
  /** Resources that were drilled, and those of them whose newest drill did not pass; these do not degrade the service. */
  drills: { resources: number; failing: number };
}

export interface PostedBackupRequest {
  resourceId: string;
  /** Default: the resource's, or `document` / `stream`. */
  resourceType?: string;
  /** Default: `full`. */
  type?: BackupType;
  metadata?: Partial<BackupMetadata>;
  /** Default true. */
  encrypt?: boolean;
  /** `document`: `input` is JSON text; `stream`: any bytes. */
  service: 'document' | 'stream';
  input: AsyncIterable<Uint8Array>;
  createdBy: string;
  signal?: AbortSignal;
}

export interface BackupManager {
  /** Stores posted content and returns the finished backup. A broken input leaves no backup. */
  createPosted(request: PostedBackupRequest): Promise<Backup>;
  /** Starts a backup of a resource that Holdfast fetches itself; ends as an operation. */
  start(request: {
    resourceId: string;
    type?: BackupType;
    metadata?: Partial<BackupMetadata>;
    encrypt?: boolean;
    createdBy: string;
  }): Promise<Operation>;
  get(id: string): Promise<Backup>;
  list(filter: BackupFilter, page: PageRequest): Promise<Page<Backup>>;
  /** The newest backup of each of these resources that exists and has one, by the resource's id. */
  newestOf(resourceIds: readonly string[]): Promise<ReadonlyMap<string, NewestBackup>>;
  /**
   * Forgets a backup (7 days in the repository's trash). @throws `backup-has-dependants` (conflict) naming them unless
   * `cascade`; `backup-held` (conflict). @returns ids of all that went
   */
  delete(id: string, options: { cascade: boolean; reason: string; by: string }): Promise<readonly string[]>;
  /** Changes hold, expiry or tags. */
  update(
    id: string,
    change: { held?: boolean; retentionDays?: number | null; tags?: Record<string, string> },
  ): Promise<Backup>;
  /**
   * The restored content as a stream, for services that have one. `onDamage`: zeros for what is lost, where the service can.
   * @throws `content-is-a-tree` (unsupported)
   */
  content(
    id: string,
    signal: AbortSignal,
    options?: { onDamage?: (damage: ContentDamage) => void },
  ): Promise<{ backup: Backup; mediaType: string; bytes: AsyncIterable<Uint8Array> }>;
  /** A tree backup's entries. @throws `content-is-no-tree` (unsupported) */
  entries(id: string, paths?: readonly string[]): AsyncIterable<TreeEntry>;
  /** Restores nothing, checks everything: chain, checksums, structure, expiry. */
  validate(id: string): Promise<ValidationResult>;
}

export interface RestoreRequest {
  backupId: string;
  /**
   * Another resource of the same service, whose configuration says where to restore to: nothing that is there is overwritten unless
   * `options` say so. For posted content a label.
   */
  targetResourceId?: string;
  createdBy: string;
  /** Default true. */
  validate?: boolean;
  /** For the service: `target`, `paths`, `conflict`, `dryRun` … (files). */
  options?: Readonly<Record<string, unknown>>;
}

/** A restore operation in the shape of the seed's examples. */
export interface RestoreOperation {
  id: string;
  backupId: string;
  resourceId?: string;
  targetResourceId?: string;
  type: BackupType;
  status: OperationStatus;
  validated: boolean;
  validationErrors: readonly string[];
  validation?: ValidationResult;
  progress: number;
  detail?: Progress;
  result?: Readonly<Record<string, unknown>>;
  error?: { code: string; message: string };
  warnings: readonly string[];
  createdAt: string;
  completedAt?: string;
  createdBy: string;
}

export interface RestoreManager {
  /**
   * Documents are restored at once: the answer holds the finished operation and `data` as canonical JSON text. Other
   * contents become an operation that runs by itself; `data` is then absent and `operation.status` is `queued`. A dry run
   * (`options.dryRun`) has a `RestorePlan` in its `result.plan`.
   * @throws `restore-target-not-found` (not-found), `restore-target-of-other-service` (conflict)
   */
  restore(request: RestoreRequest, signal?: AbortSignal): Promise<{ operation: RestoreOperation; data?: Uint8Array }>;
  /** @throws `no-backup-at-time` (not-found) */
  restorePointInTime(
    request: Omit<RestoreRequest, 'backupId'> & { resourceId: string; timestamp: string },
    signal?: AbortSignal,
  ): Promise<{ operation: RestoreOperation; data?: Uint8Array }>;
  list(
    filter: { status?: OperationStatus; resources?: readonly string[] },
    page: PageRequest,
  ): Promise<Page<RestoreOperation>>;
  get(id: string): Promise<RestoreOperation>;
}

export interface ResourceManager {
  get(id: string): Promise<Resource>;
  list(page: PageRequest): Promise<Page<Resource>>;
  /** Creates or replaces. The service validates the configuration. */
  put(resource: {
    id: string;
    type?: string;
    service: string;
    configuration?: unknown;
    policyId?: string;
    metadata?: Partial<BackupMetadata>;
    assertions?: readonly unknown[];
  }): Promise<Resource>;
  /**
   * Looks whether a backup would succeed, of a resource or by a configuration that is not saved yet. What is missing is in the answer
   * and no error.
   * @throws `configuration-invalid`, `service-unknown`
   */
  test(
    what: { id: string } | { service: string; configuration?: unknown },
    signal?: AbortSignal,
  ): Promise<ResourceTest>;
  /** @throws `resource-has-backups` (conflict) unless `cascade` */
  delete(id: string, options: { cascade: boolean; by: string }): Promise<void>;
}

export interface OperationEvent {
  operation: Operation;
}

export interface OperationManager {
  get(id: string): Promise<Operation>;
  list(
    filter: { kind?: OperationKind; status?: OperationStatus; resourceId?: string; resources?: readonly string[] },
    page: PageRequest,
  ): Promise<Page<Operation>>;
  /** @throws `operation-ended` (conflict) */
  cancel(id: string): Promise<Operation>;
  /** The operation as it changes, the present state first; ends with the operation or the signal. */
  watch(id: string, signal: AbortSignal): AsyncIterable<Operation>;
  /** Resolves with the operation when it has ended or the time is over. */
  wait(id: string, milliseconds: number, signal?: AbortSignal): Promise<Operation>;
}

export interface PolicyManager {
  get(id: string): Promise<Policy>;
  list(): Promise<readonly Policy[]>;
  put(policy: { id?: string; name: string; rules: RetentionRules; timeZone?: string }): Promise<Policy>;
  delete(id: string): Promise<void>;
  /** What a policy would keep and forget of a resource's backups, with the reasons. */
  preview(resourceId: string, rules: RetentionRules, timeZone?: string): Promise<RetentionPlan>;
  /** Forgets what the resource's policy (or `rules`) no longer wants. @throws `policy-keeps-nothing` (conflict) */
  apply(resourceId: string, by: string, rules?: RetentionRules): Promise<RetentionPlan>;
  /** One round of cleanup: what has expired and what policies no longer want, of all resources. */
  cleanUp(by: string): Promise<{ forgotten: readonly string[]; kept: number; errors: readonly string[] }>;
}

export interface RetentionPlan {
  keep: readonly { backup: Backup; reasons: readonly string[] }[];
  forget: readonly Backup[];
}

export interface ScheduleManager {
  get(id: string): Promise<Schedule>;
  list(): Promise<readonly Schedule[]>;
  put(schedule: {
    id?: string;
    resourceId: string;
    cron: string;
    timeZone?: string;
    kind?: 'backup' | 'drill';
    type?: BackupType;
    which?: 'newest' | 'random';
    moment?: 'newest' | 'random';
    assertions?: readonly unknown[];
    enabled?: boolean;
  }): Promise<Schedule>;
  delete(id: string): Promise<void>;
  /** Says that an operation, which has ended, did what a schedule is for. */
  recordRun(id: string, operation: Operation): Promise<void>;
}

export interface RepositoryOverview extends RepositoryStatistics {
  id: string;
  location: string;
}

/** The repositories that are open and what is kept of them. */
export interface StorageManager {
  list(): Promise<readonly RepositoryOverview[]>;
  get(id: string): Promise<RepositoryOverview>;
  /** The default repository, for new backups. */
  readonly default: Repository;
  repository(id: string): Repository;
  keys(id: string): Promise<readonly KeySlot[]>;
  addKey(id: string, provider: KeyProvider, label: string): Promise<KeySlot>;
  /** Starts a check as an operation (HTTP). */
  startVerify(
    id: string,
    options: { level: CheckLevel; backupIds?: readonly string[]; budget?: CheckBudget; createdBy: string },
  ): Promise<Operation>;
  /** Runs a check here and now (CLI). */
  verify(
    id: string,
    options: {
      level: CheckLevel;
      backupIds?: readonly string[];
      budget?: CheckBudget;
      signal?: AbortSignal;
      report?: (progress: Progress) => void;
    },
  ): Promise<CheckReport>;
  /** Starts a repair as an operation (HTTP), with what the repository itself has. */
  startRepair(id: string, options: { dryRun: boolean; createdBy: string }): Promise<Operation>;
  /**
   * Mends what can be mended, here and now, and brings the catalogue in line: what was derived is listed, what is damaged is
   * marked.
   */
  repair(
    id: string,
    options: Pick<RepairOptions, 'dryRun' | 'replicas' | 'signal'> & { report?: (progress: Progress) => void },
  ): Promise<RepairReport>;
  /** Starts a collection as an operation (HTTP, the schedule): removes what no backup needs. */
  startPrune(
    id: string,
    options: { allowEmpty?: boolean; rewriteOldKeys?: boolean; createdBy: string },
  ): Promise<Operation>;
  /**
   * Runs a collection here and now, or tells what it would remove. What is encrypted under keys that were rotated since is written
   * again: a part of it each time, or all of it with `rewriteOldKeys`.
   */
  prune(
    id: string,
    options: Pick<CollectionOptions, 'dryRun' | 'allowEmpty' | 'repackBelow' | 'signal'> & {
      rewriteOldKeys?: boolean;
      report?: (progress: Progress) => void;
    },
  ): Promise<CollectionReport>;
  /** Forgotten backups that can still be brought back, oldest first. */
  trash(id: string): Promise<readonly ForgottenSnapshot[]>;
  /**
   * Brings a forgotten backup back, into the catalogue as well.
   * @throws `not-in-trash`, `backup-collected` (not-found); `base-forgotten` (conflict): it builds on one that is gone
   */
  undelete(id: string, backupId: string): Promise<Backup>;
  /** How many snapshots the catalogue does not know, and how many it lists that are gone. */
  compare(id: string): Promise<{ unknown: number; gone: number }>;
  /** Brings the catalogue in line with a repository: adds what it does not know, drops what is gone. */
  reconcile(
    id: string,
    report?: (progress: Progress) => void,
  ): Promise<{ added: number; removed: number; unreadable: readonly string[] }>;
}

export interface AccessManager {
  /** False while no credentials exist: then only loopback may call, as admin. */
  credentialsExist(): Promise<boolean>;
  /**
   * Tells who shows credentials.
   *
   * @param address the caller's: wrong passwords are counted by it and by the name
   * @returns undefined where they are unknown, wrong, expired or taken back; whoever guesses is answered slowly
   * @throws HoldfastError `sign-in-blocked`, `sign-in-busy` (too-many) with `retryAfterSeconds` in their details;
   * `nothing-granted` (denied); (unavailable) where a directory or an issuer does not answer
   */
  identify(credentials: Credentials, address: string): Promise<Principal | undefined>;
  /** The token is returned once and never again. */
  createToken(request: NewToken): Promise<{ token: string; record: Omit<ApiToken, 'hash'> }>;
  listTokens(): Promise<readonly Omit<ApiToken, 'hash'>[]>;
  revokeToken(id: string): Promise<void>;
}

export interface NewToken {
  name: string;
  role: Role;
  resources?: readonly string[];
  grants?: readonly Grant[];
  expiresInDays?: number;
}

export interface AuditLog {
  record(event: {
    actor: string;
    action: string;
    subject?: string;
    outcome: AuditEvent['outcome'];
    address?: string;
    details?: Record<string, unknown>;
  }): Promise<void>;
  page(filter: { actor?: string; action?: string; subject?: string }, page: PageRequest): Promise<Page<AuditEvent>>;
  verify(): Promise<{ events: number; brokenAt?: number }>;
}
