import type { Application } from './application.ts';
import type { Configuration, KeyConfiguration } from './configuration.ts';
import type { NotificationConfiguration } from './notification-configuration.ts';
import type { KeyProvider } from './ports/key-provider.ts';
import type { LogFiles } from './ports/log-files.ts';
import type { PolicyWorkshop } from './ports/policy-workshop.ts';
import type { Storage } from './ports/storage.ts';

/**
 * What `main.ts` hands to the command line: every adapter, joined, behind the names that a command needs. Nothing is opened
 * before a command asks for it.
 */
export interface Composition {
  readonly version: string;

  /** Reads `holdfast.yaml` and the environment. @throws HoldfastError `configuration-…` (invalid) naming the field */
  loadConfiguration(options: LoadConfigurationOptions): Promise<Configuration>;

  /**
   * Opens catalogue, repositories and services.
   *
   * `serve` makes what is missing (data folder, key file, repository); its operations wait for `startBackground`.
   * `command` works beside a running service: an operation that it starts (`backups.start`, `restores.restore`,
   * `repositories.startVerify`) begins to run at once in this very process, nobody else's does; follow it with
   * `operations.watch(id, signal)`, stop it with `operations.cancel(id)`. Where a repository does not exist,
   * `command` fails unless `initialise` is set.
   *
   * @throws HoldfastError `repository-missing` (no-repository), `key-file-missing` (wrong-key), `wrong-key`,
   * `catalogue-damaged` (damaged)
   */
  openApplication(
    configuration: Configuration,
    mode: ApplicationMode,
    options?: OpenApplicationOptions,
  ): Promise<Application>;

  /** Starts HTTP for an application and waits until it listens. `startBackground` is the caller's business. */
  serve(application: Application, configuration: Configuration): Promise<RunningServer>;

  /** What a key's reference names is read when the provider is first used. */
  keyProvider(configuration: KeyConfiguration): KeyProvider;

  /** Reads what `env:NAME` or `file:/path` names. @throws HoldfastError `secret-missing` (invalid) */
  resolveSecret(reference: string): Promise<string>;

  /** For `notify`: sends a test to each of these targets, once. Needs nothing to be open. */
  tryNotifications(
    targets: readonly NotificationConfiguration[],
    signal: AbortSignal,
  ): Promise<readonly TriedNotification[]>;

  /** For `doctor`: looks whether each of these targets could be sent something, and sends nothing. Needs nothing to be open. */
  inspectNotifications(
    targets: readonly NotificationConfiguration[],
    signal: AbortSignal,
  ): Promise<readonly InspectedNotification[]>;

  /** Makes a new key file, readable by its owner only. @throws HoldfastError `key-file-exists` (conflict) */
  createKeyFile(path: string): Promise<void>;

  /** Held by `serve` for its whole life; ends with the process, however that ends. @throws `data-folder-in-use` (locked) */
  acquireServiceLock(dataFolder: string): Promise<ServiceLock>;

  /** Who serves the data folder now, or undefined. For `doctor` and messages; nothing's safety depends on it. */
  runningService(dataFolder: string): Promise<RunningService | undefined>;

  /** For `repair`: opens a copy of a repository, by its folder or `s3://` address, to fetch from it. @throws `repository-missing` (no-repository) */
  openReplica(place: string): Promise<Storage>;

  /** For `recover`: what the configuration file says of a folder or `s3://` address. */
  storageSetting(place: string): Promise<object>;

  /** For `policy`. Needs nothing to be open. */
  policyWorkshop(configuration: Pick<Configuration, 'downloads'>): Promise<PolicyWorkshop>;

  /** For `wal-push` and `wal-get`. Needs nothing to be open. */
  logFiles(): Promise<LogFiles>;

  /**
   * For `doctor`: looks at a configured repository's storage without a key and without making anything.
   * @param options `tryWriting`: rejects where a repository that is there would take nothing
   */
  inspectRepository(
    configuration: Configuration,
    repositoryId: string,
    options?: { tryWriting: boolean },
  ): Promise<RepositoryInspection>;

  /**
   * For `recover`: moves a catalogue that does not open out of the way, so that `openApplication` begins an empty one.
   * @returns where it lies now; undefined where there was none
   */
  setCatalogueAside(dataFolder: string): Promise<string | undefined>;
}

export type ApplicationMode = 'serve' | 'command';

export interface OpenApplicationOptions {
  /**
   * Makes repositories that do not exist yet, and the default key file. Default: for `serve`, where the catalogue lists no backup of
   * them; false for `command`.
   */
  initialise?: boolean;
  /** Says that threads will surely be wanted: they start at once, while all else is opened. Default: when something wants them. */
  startThreads?: boolean;
  /** Told of each notification that could not be delivered, besides the log. */
  onUndelivered?: (message: string) => void;
  /** Told once with the path when a key file was made: it must be copied elsewhere. Default: the log and stderr. */
  onKeyFileMade?: (path: string) => void;
}

export interface LoadConfigurationOptions {
  /** Path of `holdfast.yaml`; default: `HOLDFAST_CONFIG`, or the one in the working folder. */
  file?: string;
  /** From the command line; these win over file and environment. */
  overrides?: ConfigurationOverrides;
}

export interface ConfigurationOverrides {
  dataFolder?: string;
  host?: string;
  port?: number;
  logLevel?: Configuration['logLevel'];
  /** Folder or `s3://` address of the default repository. */
  repository?: string;
  /** Tried first, before configured keys. */
  keyFile?: string;
  /** A reference: `env:NAME` or `file:/path`. */
  passphrase?: string;
}

export interface RunningServer {
  url: string;
  /** Takes no more requests and waits for those under way. */
  close(): Promise<void>;
}

export interface ServiceLock {
  release(): Promise<void>;
  /** Tells other processes where the service answers. */
  announce(url: string): Promise<void>;
}

export interface RunningService {
  pid: number;
  /** Absent until it listens. */
  url?: string;
  startedAt?: string;
}

export interface TriedNotification {
  /** Of the target. */
  name: string;
  /** Host, or where the address stands; no secret. */
  place: string;
  isTaken: boolean;
  /** Where it was not taken. */
  problem?: { code: string; message: string };
}

export interface InspectedNotification {
  /** Of the target. */
  name: string;
  /** Host, or where the address stands; no secret. */
  place: string;
  /** Where nothing could be sent; `advice` where the message does not say what to do. */
  problem?: { code: string; message: string; advice?: string };
}

export interface RepositoryInspection {
  id: string;
  location: string;
  exists: boolean;
}
