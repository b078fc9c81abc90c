import type { Resource } from '../resource.ts';
import type { DownloadChoice, DownloadFormat, DownloadMaterial, SqlDialect } from './service-download.ts';

/** Backups that another tool made and keeps, as a service finds and reads them. */
export interface ExternalSnapshots {
  /**
   * The retained backups that are complete, newest first, at most `limit` of them.
   * @throws HoldfastError whose message is fit for a developer (no secret, no internal address); the full reason is its `cause`
   */
  list(resource: Resource, options: { limit: number; signal: AbortSignal }): Promise<readonly ExternalSnapshot[]>;
  /** Opens one that `list` gave. Nothing is fetched before the first byte is asked for, other than what a format needs. */
  open(
    resource: Resource,
    snapshot: ExternalSnapshot,
    options: { choice?: DownloadChoice; signal: AbortSignal; warn(message: string): void },
  ): Promise<DownloadMaterial>;
  /**
   * What downloads of the resource can be, the default one first; the dialect where they are SQL. Where that is found out by looking
   * into the newest backup, `list` does it, so this should be asked after it.
   */
  formats(resource: Resource): { formats: readonly DownloadFormat[]; dialect?: SqlDialect };
}

export interface ExternalSnapshot {
  /** Opaque, stable, usable in a URL's query. */
  id: string;
  /** RFC 3339 */
  createdAt: string;
  /** Bytes as they are kept there (encrypted, compressed), if that is known. */
  storedSize?: number;
}
