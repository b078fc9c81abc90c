import type { DownloadConfiguration } from './download.ts';
import type { HookConfiguration } from './hook-configuration.ts';
import type { IdentityConfiguration } from './identity-configuration.ts';
import type { NotificationConfiguration } from './notification-configuration.ts';

/** Everything an operator can set, validated and with defaults filled in. Secrets are still references here. */
export interface Configuration {
  /** Absolute path; holds the catalogue, the service lock and, unless set otherwise, the repository. */
  dataFolder: string;
  server: ServerConfiguration;
  repositories: readonly RepositoryConfiguration[];
  /** Backups a point-in-time restore looks among, for each resource. */
  maxSnapshots: number;
  /** Deltas after which the next backup of a document is a full one. */
  maxChainLength: number;
  /** Days that forgotten backups stay in the repository's trash. */
  trashDays: number;
  /** Days that operations which have ended stay listed. */
  operationDays: number;
  cleanup: { cron: string; timeZone: string; enabled: boolean };
  /** When what no backup needs is removed from repositories. */
  prune: { cron: string; timeZone: string; enabled: boolean };
  /** When a part of each repository is read and compared with its SHA-256, never or longest ago verified first. */
  scrub: { cron: string; timeZone: string; enabled: boolean; fraction: number };
  /** Other repositories that backups are copied to. */
  copies: readonly CopyConfiguration[];
  /** When all of them are brought in line. */
  copy: { cron: string; timeZone: string; enabled: boolean };
  /** Commands around backups and restores; only the file can name them. */
  hooks?: readonly HookConfiguration[];
  /** Whom to tell what happened, besides the log; only the file can name them. */
  notifications?: readonly NotificationConfiguration[];
  /** Default: `DEFAULT_DOWNLOADS`. */
  downloads?: DownloadConfiguration;
  /** Who vouches for callers besides Holdfast itself. */
  identity?: IdentityConfiguration;
  /** Operations that run at once in this process. */
  concurrency: number;
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent';
}

export interface ServerConfiguration {
  host: string;
  port: number;
  /** Largest JSON body of `POST /backups`, bytes. */
  documentLimitBytes: number;
  /** Deepest nesting of a posted document. */
  documentDepthLimit: number;
  /** Largest body of every other JSON route, bytes. */
  bodyLimitBytes: number;
  /** Requests a minute for one address; 0 for no limit. */
  requestsPerMinute: number;
  /** Backups and restores under way at once over HTTP; more are answered 429. */
  maxConcurrentTransfers: number;
  /** Host names besides loopback's that `Host` may carry. */
  allowedHosts: readonly string[];
}

export interface RepositoryConfiguration {
  id: string;
  storage: { kind: string; options: Readonly<Record<string, unknown>> };
  /** Tried in order to open the repository; the first one makes the key of a new one. */
  keys: readonly KeyConfiguration[];
  /** True where nobody configured a key and the first start makes a key file. */
  keyIsDefault: boolean;
  /** Only used when the repository is made. */
  settings: { cipher: 'aes-256-gcm' | 'aes-256-cbc'; codec: 'zstd' | 'gzip' | 'raw'; zstdLevel: number };
  /** Worker threads; default: the machine's cores, at most 8, or 4 with a bucket, whose packs grow in memory. */
  workers: number;
}

/** A repository with a master key of its own, for the second and third copy of backups. */
export interface CopyConfiguration extends RepositoryConfiguration {
  /** Days that backups stay in its trash after the repository forgot them; undefined: for ever, outside of the trash. */
  keepForgottenDays?: number;
}

export type KeyConfiguration =
  | { kind: 'keyfile'; path: string }
  /** `passphrase` is a reference: `env:NAME` or `file:/path`. */
  | { kind: 'passphrase'; passphrase: string };
