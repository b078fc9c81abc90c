import type { Backup } from '../backup.ts';
import type { Resource } from '../resource.ts';
import type { SnapshotReader, SnapshotWriter, StoredStream } from './repository.ts';

/**
 * What a service of databases with a log (WAL, a journal of changes) offers beside backups: the log is kept as it grows, so that
 * a resource restores to any moment between its oldest backup and now.
 */
export interface ServiceLog {
  /** Whether a resource's (parsed) configuration asks for it. */
  isKept(configuration: Readonly<Record<string, unknown>>): boolean;
  /**
   * Follows the source's log and appends what comes, until `signal` aborts; then it resolves soon. Where it rejects it is begun
   * again after a pause, so it finds by itself where it stands: by `log.pieces()`.
   */
  capture(context: CaptureContext): Promise<void>;
  /**
   * Gives back what the source keeps for the log (a replication slot), once nobody follows it any more.
   * @param now how the resource is defined since, where its log is still kept: what both have in common stays
   */
  release?(resource: Resource, now?: Resource): Promise<void>;
  /**
   * Whether a piece is kept although it was complete before the oldest backup began.
   * @param oldest what the service recorded (`serviceData`) with that backup; absent where there is none
   */
  outlivesBackups?(piece: LogPiece, oldest?: Readonly<Record<string, unknown>>): boolean;
  /**
   * The moments that a backup and the log are to bring back, oldest first, going by when the log was kept: whether all of that is still there is
   * for restore drills to find. Absent: its drills know no moments.
   */
  moments?(question: MomentQuestion): readonly MomentWindow[] | Promise<readonly MomentWindow[]>;
}

export interface MomentQuestion {
  backup: Backup;
  /** What the service recorded (`serviceData`) with it. */
  recorded: Readonly<Record<string, unknown>>;
  pieces: readonly LogPiece[];
}

/** RFC 3339, both ends included. */
export interface MomentWindow {
  from: string;
  to: string;
}

export interface CaptureContext {
  resource: Resource;
  log: ResourceLog;
  signal: AbortSignal;
  /** Tells how it stands: after each piece, and at least every ten seconds while all is well. */
  report(state: CaptureProgress): void;
  /** Tells what the user must know although the capture goes on (a gap, a lag that grows). */
  warn(message: string): void;
}

export interface CaptureProgress {
  /** How far the log is stored, in the service's words (for PostgreSQL an LSN). */
  position: string;
  /** The source's own position then. */
  sourcePosition?: string;
  /** Bytes that the source has written and the repository does not hold yet. */
  lagBytes?: number;
  /** More that the service wants to show (slot, timeline, bytes that the source keeps for it). */
  details?: Readonly<Record<string, string | number | boolean>>;
}

/** One stored run of a resource's log. */
export interface LogPiece {
  /** Of the snapshot that holds it; the content is one stream. */
  id: string;
  /** Where it begins and where the next one begins, in the service's words. */
  from: string;
  to: string;
  /** What else the service wants to know without opening the piece: timeline, segment. */
  facts: Readonly<Record<string, string | number | boolean>>;
  /** bytes */
  size: number;
  /** RFC 3339: when it began to be stored, and when it was durable. */
  createdAt: string;
  completedAt: string;
}

export interface NewLogPiece extends Pick<LogPiece, 'from' | 'to' | 'facts'> {
  /** Its bytes; or what stores them in a way of the service's own, such as in the segments of its backups. */
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | ((writer: SnapshotWriter) => Promise<StoredStream>);
}

export interface LogReading {
  /** All pieces, oldest first. They may overlap: one may hold again what shorter ones hold. */
  pieces(): Promise<readonly LogPiece[]>;
  open(piece: LogPiece): Promise<SnapshotReader>;
  /** The whole content of a piece, which the caller knows to be small, verified. */
  read(piece: LogPiece): Promise<Buffer>;
}

export interface ResourceLog extends LogReading {
  /** Stores a piece. When it resolves, its bytes are durable in the repository. */
  append(piece: NewLogPiece): Promise<LogPiece>;
  /** Deletes pieces at once, whose bytes other pieces hold. */
  remove(pieces: readonly LogPiece[]): Promise<void>;
}
