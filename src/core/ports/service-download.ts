import type { Backup } from '../backup.ts';
import type { DownloadFormat, SqlDialect } from '../download-format.ts';
import type { Resource } from '../resource.ts';
import type { ChainLink } from './chain-link.ts';
import type { DrillFolder } from './drill-folders.ts';

export type { DownloadFormat, SqlDialect } from '../download-format.ts';

/** Which part of a backup, and as what. */
export interface DownloadChoice {
  format: DownloadFormat;
  /** Only these tables (`schema.table` or `table`), where the content has tables. */
  tables?: readonly string[];
  /** Only what is at or below these paths, where the content is a tree of files. */
  paths?: readonly string[];
  /** Which database, where a backup holds several. */
  database?: string;
  /** Only definitions and no rows, or names of files and no contents, where the service can give that without reading all; others give all. SQL and tar alone. */
  schemaOnly?: boolean;
}

export interface DownloadContext {
  backup: Backup;
  /** From a full backup to `backup` itself; one link where the backup is complete by itself. */
  chain: readonly ChainLink[];
  choice: DownloadChoice;
  /** The backed-up resource, where it still exists. Its source is neither needed nor touched. */
  resource?: Resource;
  /**
   * Makes a private, empty folder on the disk of drills, for services that must restore something first. The caller removes it; one that
   * a process left behind goes when the service starts next. Absent where nothing can be restored.
   */
  temporaryFolder?(): Promise<DrillFolder>;
  /** Ends whatever was begun. */
  signal: AbortSignal;
  /** Tells something that the operator must know although the download goes on. */
  warn(message: string): void;
}

/** Content of a backup as its target understands it, not yet sealed against being cut. */
export interface DownloadMaterial {
  format: DownloadFormat;
  /** Present exactly where `format` is `sql`. */
  dialect?: SqlDialect;
  /** Media type, with the charset where it is text. */
  mediaType: string;
  /** With its dot: `.sql`, `.tar`. */
  fileExtension: string;
  /** Bytes, where that is known before the first one is made. */
  length?: number;
  /** Hex, where it is known before the first byte is made. */
  sha256?: string;
  /** True where each production of the same choice from the same backup gives the same bytes. */
  isReproducible: boolean;
  /** True where `bytes` can begin in the middle. Then `length` is known. */
  acceptsRanges: boolean;
  /**
   * The bytes; may be called once. They end without an error only if every stage said that all is well: lengths, checksums, how
   * child processes ended. Who leaves early or aborts the context's signal ends all that was begun.
   * @param options `isGivenBack`: whoever takes the pieces calls `giveBack` with each that it is done with, and keeps no view of it;
   *   a material may make use of that or not
   * @throws HoldfastError whatever was wrong, at the latest at the end
   */
  bytes(range?: { offset: number; length: number }, options?: { isGivenBack?: boolean }): AsyncIterable<Uint8Array>;
  /** What a program makes `bytes` of, where rows are found in it with less work than in these. Instead of `bytes`; what that promises holds of both. */
  archive?: SourceArchive;
}

/** A dump that is SQL only once a program has made that of it. */
export interface SourceArchive {
  bytes(): AsyncIterable<Uint8Array>;
  /** SQL, as `DownloadMaterial.bytes` gives it, of what `change` makes of the archive. */
  sqlOf(change: (archive: ArchiveBytes) => AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** To be read once, in one of two ways. */
export interface ArchiveBytes {
  /** Bytes. */
  length: number;
  bytes(): AsyncIterable<Uint8Array>;
  /**
   * Parts of it, one after the other; what lies between them costs as little as the source can make it. Each chunk of which something is given was
   * verified, and that no more and no less came than was asked for; what was not read was not. A piece stays as it is until the next one is asked for.
   * @param bounds where each part begins and where it ends, ascending
   */
  parts(bounds: Float64Array): AsyncIterable<Uint8Array>;
}
