import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, lstatSync, openSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import type { ReplaceJob, Replacement, TargetState } from './database-job.ts';
import { isDatabaseProcess, openedElsewhere } from './open-elsewhere.ts';
import { resultCode } from './sqlite-fault.ts';

const JOURNALS = ['-wal', '-journal', '-shm'];

/** Says what is at a restore's target. @throws HoldfastError `target-not-a-file` (conflict) */
export function lookAtTarget(target: string): TargetState {
  const exists = targetExists(target);
  const journals = JOURNALS.map((suffix) => target + suffix).filter(isThere);
  return { exists, openedBy: openedElsewhere([target, ...journals]), journals };
}

/**
 * Puts a restored file in the place of a database, so that a crash at any moment leaves either the old database, whole, or the
 * restored one, and never a journal of the old one beside the restored one: SQLite would play it into it.
 *
 * The old database is first made complete by itself (log checkpointed, journal rolled back, both removed) under an exclusive
 * lock, which is held until the restored file has its name.
 *
 * @throws HoldfastError `file-exists`, `target-not-a-file`, `restore-target-unsettled` (conflict), `restore-target-in-use` (locked)
 */
export function replaceTarget({ restored, target, overwrite }: ReplaceJob): Replacement {
  const { exists, openedBy } = lookAtTarget(target);
  if (exists && !overwrite) throw fileExists(target);
  if (openedBy.length > 0) throw targetInUse(target, openedBy);
  const lock = exists ? settleOldDatabase(target) : undefined;
  try {
    const setAside = lock === undefined ? setJournalsAside(target) : removeJournals(target);
    if (exists) renameSync(restored, target);
    else moveToFreeName(restored, target);
    syncFolder(path.dirname(target));
    return { replaced: exists, setAside };
  } finally {
    lock?.close();
  }
}

/**
 * @returns a connection that keeps everybody else out; undefined where there is no database to lock
 * @throws HoldfastError `restore-target-in-use` (locked), `restore-target-unsettled` (conflict)
 */
function settleOldDatabase(target: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(target, { timeout: LOCK_TIMEOUT });
    // In this mode locks are kept between transactions. Leaving WAL mode needs that nobody else has the database open.
    database.exec('PRAGMA locking_mode=EXCLUSIVE');
    const mode = database.prepare('PRAGMA journal_mode=DELETE').get()?.journal_mode;
    if (mode !== 'delete') throw targetInUse(target, []);
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof HoldfastError) throw error;
    const code = (resultCode(error) ?? 0) & 0xff;
    if (code === BUSY || code === LOCKED) throw targetInUse(target, []);
    // What is no database, or is damaged, has no users whom SQLite's locks could keep out; its journals are set aside.
    if (code === NOT_A_DATABASE || code === CORRUPT) return undefined;
    throw unsettled(target, error);
  }
}

/** Of a database that is complete by itself and locked; SQLite keeps an empty journal while it holds a lock in this mode. */
function removeJournals(target: string): string[] {
  for (const suffix of JOURNALS) rmSync(target + suffix, { force: true });
  return [];
}

/**
 * Journals that are still there belong to a database that is gone or cannot be opened. They may be all that is left of it, so
 * they get another name instead of being removed; except for `-shm`, which only speeds up the reading of a log.
 */
function setJournalsAside(target: string): string[] {
  const mark = randomBytes(4).toString('hex');
  const moved: string[] = [];
  for (const suffix of JOURNALS) {
    const journal = target + suffix;
    if (!isThere(journal)) continue;
    if (suffix === '-shm') {
      unlinkSync(journal);
      continue;
    }
    const aside = `${journal}.old-${mark}`;
    renameSync(journal, aside);
    moved.push(aside);
  }
  // Their new names must be on the disk before the restored file has its own.
  if (moved.length > 0) syncFolder(path.dirname(target));
  return moved;
}

/** Unlike `rename`, `link` never takes the place of a file that came meanwhile. */
function moveToFreeName(restored: string, target: string): void {
  try {
    linkSync(restored, target);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'EEXIST') throw fileExists(target);
    if (code === undefined || !WITHOUT_LINKS.has(code)) throw error;
    if (isThere(target)) throw fileExists(target);
    renameSync(restored, target);
    return;
  }
  unlinkSync(restored);
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function targetExists(target: string): boolean {
  if (!isThere(target)) return false;
  if (lstatSync(target).isFile()) return true;
  throw new HoldfastError(
    'conflict',
    'target-not-a-file',
    `${target} is a folder or another thing that no restore replaces. Name a database file, or a path where nothing is yet.`,
    { details: { path: target } },
  );
}

function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
}

export function fileExists(target: string): HoldfastError {
  return new HoldfastError(
    'conflict',
    'file-exists',
    `${target} exists already, and nothing was changed. Choose the conflict strategy \`overwrite\` (--conflict overwrite) to replace it, or restore to another path.`,
    { details: { path: target } },
  );
}

export function targetInUse(target: string, processes: readonly number[]): HoldfastError {
  if (processes.length > 0 && processes.every(isDatabaseProcess)) return targetFollowed(target, processes);
  const who = processes.length === 0 ? 'by another process' : `by process ${processes.join(', ')}`;
  return new HoldfastError(
    'locked',
    'restore-target-in-use',
    `${target} is open ${who}, which would go on with the database that it has. Nothing was changed; stop it and restore again, or restore to another path.`,
    { details: { path: target, processes } },
  );
}

/** Whoever ended that process would have it started again. */
function targetFollowed(target: string, processes: readonly number[]): HoldfastError {
  return new HoldfastError(
    'locked',
    'restore-target-in-use',
    `${target} is open by Holdfast itself (process ${processes.join(', ')}): the service keeps its log, or it is being backed up. Nothing was changed. Restore by the API of the service (POST /restore), which lets go of the database for that; while a backup runs, try again when it is done; or restore to another path.`,
    { details: { path: target, processes } },
  );
}

function unsettled(target: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'conflict',
    'restore-target-unsettled',
    `The database at ${target} could not be closed properly before being replaced: SQLite says “${messageOf(cause)}”. Nothing was replaced; look at its disk and permissions, move it away, or restore to another path.`,
    { cause, details: { path: target } },
  );
}

/** milliseconds */
const LOCK_TIMEOUT = 2000;
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const NOT_A_DATABASE = 26;
/** FAT and its like have no hard links. */
const WITHOUT_LINKS = new Set(['EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);
