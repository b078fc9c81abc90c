import { closeSync, openSync, readSync, realpathSync, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { inspectDatabase, pragmaNumber } from './database-facts.ts';
import type { CopyJob, DatabaseFacts } from './database-job.ts';
import { notADatabase, sqliteFault, temporarySpaceShort } from './sqlite-fault.ts';

/**
 * Copies a live database with SQLite's online backup API, from one snapshot of it.
 *
 * The API by itself begins anew whenever another process commits between two of its steps, and so never ends under a steady
 * load. Here the connection that is read from holds a read transaction for the whole time, which the API then uses: in WAL mode
 * it pins the snapshot and disturbs nobody; with a rollback journal it holds the SHARED lock, so that writers wait until the
 * copy is made.
 */
export async function copyDatabase(
  job: CopyJob,
  report: (phase: string, done: number, total: number) => void,
): Promise<DatabaseFacts> {
  const { file: source } = requireDatabaseFile(job.path);
  const hadLog = exists(`${source}-wal`);
  const taken = await takeCopy(source, job, report);
  if (taken.journalMode === 'wal' && !hadLog) removeEmptyLog(source);
  const { journalMode, snapshotAt } = taken;
  if (taken.pageCount === 0) return { ...EMPTY, pageSize: taken.pageSize, journalMode, snapshotAt };
  try {
    return { ...inspectDatabase(job.copy, job.checks, report), journalMode, snapshotAt };
  } catch (error) {
    // What is wrong with the copy is wrong with what it was taken from.
    throw sqliteFault(error, source);
  }
}

interface TakenCopy {
  pageSize: number;
  pageCount: number;
  journalMode: string;
  snapshotAt: string;
}

async function takeCopy(
  source: string,
  job: CopyJob,
  report: (phase: string, done: number, total: number) => void,
): Promise<TakenCopy> {
  const { busyTimeoutMilliseconds: timeout } = job;
  try {
    const database = new DatabaseSync(source, { readOnly: true, timeout });
    try {
      database.exec('BEGIN');
      // The transaction begins with the first reading.
      database.prepare('SELECT count(*) FROM sqlite_schema').get();
      // Cut to milliseconds, it must not be before a commit that is in the snapshot.
      const snapshotAt = new Date(Date.now() + 1).toISOString();
      const pageSize = pragmaNumber(database, 'page_size');
      const pageCount = pragmaNumber(database, 'page_count');
      const journalMode = String(database.prepare('PRAGMA journal_mode').get()?.journal_mode);
      if (pageCount > 0) {
        requireRoom(path.dirname(job.copy), pageSize * pageCount);
        await backup(database, job.copy, {
          rate: job.pagesPerStep,
          progress: ({ totalPages, remainingPages }) => report('copying', totalPages - remainingPages, totalPages),
        });
        requireWhole(job.copy, pageSize * pageCount);
      }
      return { pageSize, pageCount, journalMode, snapshotAt };
    } finally {
      database.close();
    }
  } catch (error) {
    throw sqliteFault(error, source);
  }
}

/** Must not be called while this process has locks on the file. `file` is the path behind symbolic links: journals lie beside it. */
export function requireDatabaseFile(given: string): { file: string; isEmpty: boolean; isInWalMode: boolean } {
  try {
    const file = realpathSync(given);
    const status = statSync(file);
    if (!status.isFile()) throw notAFile(given);
    if (status.size === 0) return { file, isEmpty: true, isInWalMode: false };
    return { file, isEmpty: false, isInWalMode: requireHeader(file) };
  } catch (error) {
    throw sqliteFault(error, given);
  }
}

/**
 * Before SQLite opens the file: it makes journals beside whatever it opens. This process has no locks yet to lose.
 * @returns whether the database is in WAL mode
 */
function requireHeader(file: string): boolean {
  const begin = Buffer.alloc(HEADER.length + 4);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, begin, 0, begin.length, 0);
  } finally {
    closeSync(descriptor);
  }
  if (!begin.subarray(0, HEADER.length).equals(HEADER)) throw notADatabase(file);
  // The version that a reader must know: 2 for WAL.
  return begin[READ_VERSION_OFFSET] === 2;
}

/** @throws HoldfastError `temporary-space-short` (unavailable) */
export function requireRoom(folder: string, needed: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free < needed) throw temporarySpaceShort(folder, undefined, { needed, free });
}

function requireWhole(copy: string, expected: number): void {
  const { size } = statSync(copy);
  if (size === expected) return;
  throw new HoldfastError(
    'internal',
    'copy-incomplete',
    `The copy of the database has ${size} bytes instead of ${expected}. Nothing was stored; try again.`,
  );
}

/**
 * Reading a database in WAL mode that nobody has open makes an empty log beside it, which only a connection that may write
 * removes, when it is the last one to close. SQLite's own locks tell whether it is.
 */
export function removeEmptyLog(source: string): void {
  try {
    if (statSync(`${source}-wal`).size > 0) return;
    const database = new DatabaseSync(source, { timeout: 0 });
    try {
      database.prepare('SELECT count(*) FROM sqlite_schema').get();
    } finally {
      database.close();
    }
  } catch {
    // An empty log that stays does no harm, and somebody else may need it by now.
  }
}

export function exists(file: string): boolean {
  try {
    statSync(file);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function notAFile(given: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'not-a-file',
    `${given} is no regular file. Let \`path\` name the database file itself.`,
    { details: { path: given } },
  );
}

const HEADER = Buffer.from('SQLite format 3\0', 'latin1');

const READ_VERSION_OFFSET = 19;

const EMPTY: Omit<DatabaseFacts, 'pageSize' | 'journalMode' | 'snapshotAt'> = {
  pageCount: 0,
  schemaVersion: 0,
  userVersion: 0,
  applicationId: 0,
  tables: [],
  problems: [],
  unchecked: [],
};
