import type { ErrorKind } from '../../core/errors.ts';
import type { QueryValue } from './database-query.ts';

/** What the process that opens databases is asked to do. */
export type DatabaseJob = CopyJob | InspectJob | ProbeJob | LookJob | ReplaceJob | QueryJob | FollowJob | LetGoJob;

/** Makes a consistent copy of a live database. */
export interface CopyJob {
  kind: 'copy';
  path: string;
  /** Where the copy goes: a file in a private folder. */
  copy: string;
  busyTimeoutMilliseconds: number;
  pagesPerStep: number;
  checks: CheckDepth;
}

/** Checks a database file that nobody else has open and says what is in it. */
export interface InspectJob {
  kind: 'inspect';
  path: string;
  checks: CheckDepth;
}

/** Reads the beginning of a live database, as a copy would. */
export interface ProbeJob {
  kind: 'probe';
  path: string;
  busyTimeoutMilliseconds: number;
}

/** Says whether a restore could take the place of what is at `target`; changes nothing. */
export interface LookJob {
  kind: 'look';
  target: string;
}

/** Puts a restored file in the place of what is at `target`. */
export interface ReplaceJob {
  kind: 'replace';
  restored: string;
  target: string;
  overwrite: boolean;
}

/** Looks what changed in a live database since the last such job, and writes it into a file. */
export interface FollowJob {
  kind: 'follow';
  /** Behind symbolic links, so that one which leads elsewhere by now is noticed. */
  path: string;
  /** The file that the piece goes into, if anything changed. */
  piece: string;
  /** The last state that is known from elsewhere; used by the first such job. */
  known?: DatabaseState;
  /** Writes a piece even if nothing changed, which tells until when nothing did. */
  isLast: boolean;
  busyTimeoutMilliseconds: number;
}

/** Gives up what was held of the database that is followed. */
export interface LetGoJob {
  kind: 'let-go';
}

/** A state of a database, told by what is in it. */
export interface DatabaseState {
  /** The sum over all pages; see `PageTable`. */
  state: string;
  /** bytes */
  pageSize: number;
  pageCount: number;
}

export interface SeenChange {
  /** `whole`: the piece is the database itself, since nothing was known of it. */
  change: 'none' | 'pages' | 'whole';
  /** In the piece. */
  pages: number;
  database: DatabaseState;
  /** What was committed by then is in this state … (RFC 3339) */
  through: string;
  /** … and what was committed after that is not. */
  at: string;
  journalMode: 'wal' | 'delete';
  /** All pages were read. */
  isReread: boolean;
  /** Frames in the write-ahead log. */
  logFrames: number;
  warnings: readonly string[];
  milliseconds: number;
}

/** Asks a database file that nobody else has open for one value. */
export interface QueryJob {
  kind: 'query';
  path: string;
  sql: string;
}

export type CheckDepth = 'none' | 'quick' | 'full';

export interface JobResults {
  copy: DatabaseFacts;
  inspect: DatabaseFacts;
  probe: Pick<DatabaseFacts, 'pageSize' | 'pageCount' | 'journalMode'>;
  look: TargetState;
  replace: Replacement;
  follow: SeenChange;
  'let-go': null;
  query: { value: QueryValue };
}

/** What a copy of a database holds. */
export interface DatabaseFacts {
  /** bytes */
  pageSize: number;
  pageCount: number;
  schemaVersion: number;
  userVersion: number;
  applicationId: number;
  /** `wal`, or `delete` for every kind of rollback journal: the file does not tell them apart. */
  journalMode: string;
  /** RFC 3339; no later commit is in the copy. Empty where no live database was read. */
  snapshotAt: string;
  /** Tables that hold rows of their own, in order of their names. */
  tables: readonly TableRows[];
  /** Problems that the checks found; empty where all is well. */
  problems: readonly string[];
  /** What could not be checked, mostly because it needs extensions that only the database's own application has. */
  unchecked: readonly string[];
}

export interface TableRows {
  name: string;
  /** Absent where the rows cannot be counted without an extension that the application has. */
  rows?: number;
}

export interface TargetState {
  exists: boolean;
  /** Processes that have the file open, as far as this one may see. */
  openedBy: readonly number[];
  /** Journals beside the target that are of an earlier database. */
  journals: readonly string[];
}

export interface Replacement {
  replaced: boolean;
  /** Where journals of an earlier database, which could not be brought into it, were moved. */
  setAside: readonly string[];
}

export type MessageFromProcess =
  | { kind: 'progress'; phase: string; done: number; total: number }
  | { kind: 'done'; result: JobResults[keyof JobResults] }
  | { kind: 'failed'; error: JobFailure };

/** An error on its way between processes. */
export interface JobFailure {
  message: string;
  kind?: ErrorKind;
  code?: string;
  details?: Readonly<Record<string, unknown>>;
}
