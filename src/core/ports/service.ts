import type { Backup, BackupStatistics, BackupType, ContentKind } from '../backup.ts';
import type { Assertion } from '../drill.ts';
import type { Progress } from '../operation.ts';
import type { Resource } from '../resource.ts';
import type { ServicePlan } from '../restore-plan.ts';
import type { SnapshotRoot } from '../snapshot-record.ts';
import type { ChainLink } from './chain-link.ts';
import type { ConnectionCheck, ConnectionTestContext } from './connection-check.ts';
import type { ExternalSnapshot, ExternalSnapshots } from './external-snapshots.ts';
import type { ContentDamage, SnapshotReader, SnapshotWriter } from './repository.ts';
import type { LogReading, ServiceLog } from './resource-log.ts';
import type { DownloadContext, DownloadFormat, DownloadMaterial, SqlDialect } from './service-download.ts';
import type { DrillContext, DrillOutcome } from './service-drill.ts';

export type { ChainLink } from './chain-link.ts';

/** The code for one kind of resource: exports it, imports it, checks it. One folder under `services/`. */
export interface Service {
  /** The registered name: `document`, `stream`, `files` … */
  readonly name: string;
  /** One sentence for the documentation and `GET /services`. */
  readonly description: string;
  readonly contentKind: ContentKind;
  readonly backupTypes: readonly BackupType[];
  /** `posted`: content arrives with the request. `fetched`: the service gets it by the resource's configuration. */
  readonly source: 'posted' | 'fetched';

  /** Validates a resource's configuration and fills in defaults. @throws HoldfastError `configuration-invalid` naming the field */
  parseConfiguration(configuration: unknown): Readonly<Record<string, unknown>>;

  backup(context: BackupContext): Promise<ServiceBackup>;
  restore(context: RestoreContext): Promise<ServiceRestore>;
  /**
   * The restored content as one stream, verified to the end; absent where the content is no stream (trees).
   * @param options `onDamage`: give zeros for bytes that are lost, and tell of them, where the service can (streams)
   */
  read?(
    chain: readonly ChainLink[],
    signal: AbortSignal,
    options?: { onDamage?: (damage: ContentDamage) => void },
  ): AsyncIterable<Uint8Array>;
  /** Media type of `read`. */
  readonly mediaType?: string;
  /** What downloads of its backups can be, the default one first; the dialect where they are SQL. Absent: there are none. */
  readonly downloads?: { formats: readonly DownloadFormat[]; dialect?: SqlDialect };
  /** The same, where it differs from backup to backup; it counts instead of `downloads`, which must be there too. */
  downloadsOf?(backup: Backup): NonNullable<Service['downloads']>;
  /**
   * A backup's content as its target understands it.
   * @throws HoldfastError `download-choice-invalid` (invalid) for tables or paths that it has not or cannot choose
   */
  download?(context: DownloadContext): Promise<DownloadMaterial>;
  /** Present where another tool makes the backups; Holdfast lists and reads them there. */
  readonly externalSnapshots?: ExternalSnapshots;
  /** Whether `restore` honours `targetResource`. */
  readonly restoresIntoResources?: boolean;
  /** Says what a backup by this configuration would find, what is missing and how to get it. Changes nothing. */
  test?(context: ConnectionTestContext): Promise<readonly ConnectionCheck[]>;
  /** Present where resources can have a log. */
  readonly log?: ServiceLog;
  /** Restores a backup into a throw-away target and compares it with what was backed up. */
  drill?(context: DrillContext): Promise<DrillOutcome>;
  /** Validates what a user says of restored data, and fills in defaults. @throws HoldfastError `assertions-invalid` (invalid) */
  parseAssertions?(assertions: readonly unknown[]): readonly Assertion[] | Promise<readonly Assertion[]>;
}

export interface BackupContext {
  resource: Resource;
  /** What to make; a service that must make a full one after all says so in its result. */
  type: BackupType;
  /**
   * What `type` builds on, from a full backup to the base: empty for full ones. A document needs the whole chain; for
   * services whose every snapshot is complete (files) only the last link counts.
   */
  chain: readonly ChainLink[];
  /** The backup of another tool that is to be stored; present exactly if the service has `externalSnapshots`. */
  external?: ExternalSnapshot;
  /** Posted content; present exactly if the service's source is `posted`. */
  input?: AsyncIterable<Uint8Array>;
  writer: SnapshotWriter;
  /** What this service recorded (`serviceData`) with the resource's latest backup; undefined where there is none to be read. */
  latest?(): Promise<Readonly<Record<string, unknown>> | undefined>;
  /**
   * The resource's latest backup by this service in this repository, to expect contents like its own (`WriteStreamOptions.expected`);
   * undefined where there is none to be read. Whoever makes the backup closes it.
   */
  earlier?: (() => Promise<SnapshotReader | undefined>) | undefined;
  signal: AbortSignal;
  report(progress: Progress): void;
  /** Tells something that the user must know although the backup goes on. */
  warn(message: string): void;
}

export interface ServiceBackup {
  /** What was made; `full` with a warning where the asked type was not worth it. */
  type: BackupType;
  root: SnapshotRoot;
  /** Bytes of the whole content (of the delta, where one was stored). */
  size: number;
  /** `sha256:` + hex; of the whole restored content for documents and streams. */
  checksum: string;
  /** True where the stored content is a delta that needs its chain to restore. */
  isDelta: boolean;
  /** Of the whole content, where `isDelta`. */
  contentBytes?: number;
  readBytes: number;
  sourceBytes: number;
  files?: BackupStatistics['files'];
  /** What the bytes of an adopted backup are, in the words of the service, for `downloadsOf`. */
  externalContent?: string;
  serviceData: Readonly<Record<string, unknown>>;
}

export interface RestoreContext {
  backup: Backup;
  /** From a full backup to `backup` itself (which is last); one link where the backup is complete by itself. */
  chain: readonly ChainLink[];
  /** The restore's options, as the caller gave them; the service validates them. */
  options: Readonly<Record<string, unknown>>;
  /** The backed-up resource, where it still exists. */
  resource?: Resource;
  /** Another resource of the same service to restore into, where one was asked for: its configuration says where that is. */
  targetResource?: Resource;
  /** The resource's log, where its service has logs. */
  log?: LogReading;
  /** The moment that was asked for, as the caller wrote it (RFC 3339), where the service has logs. */
  moment?: string;
  signal: AbortSignal;
  report(progress: Progress): void;
  warn(message: string): void;
}

export interface ServiceRestore {
  /** For documents: the canonical JSON text, to be put into the answer as it is. */
  data?: Uint8Array;
  /** `sha256:` + hex of what was restored, where the content is a document or stream. */
  checksum?: string;
  /** Of a dry run: what would be done. */
  plan?: ServicePlan;
  /** Bytes that were restored, where they are not the whole backup's. */
  restoredBytes?: number;
  /** Counts and places, for the operation's result. */
  report: Readonly<Record<string, unknown>>;
  /**
   * What was not restored, because the caller allowed it (`allowDamaged`) and it is lost: the first 1000; all are counted in the
   * report's `damageCount`. Whoever shows the restore's outcome must not call it a success.
   */
  damages?: readonly RestoreDamage[];
}

/** A run of bytes that was restored as zeros, or a part of a tree that was not restored. */
export interface RestoreDamage {
  /** The file, for a person to read; absent for streams. With `lostUntil`, where the lost part of the tree begins. */
  path?: string;
  offset: number;
  length: number;
  reason: string;
  /** Everything from `path` up to this path is lost; empty: up to the end. */
  lostUntil?: string;
  /** How many files, folders and other names that is, if it is known. */
  lostEntries?: number;
}

/** Damages that a restore lists. */
export const MOST_DAMAGES = 1000;
