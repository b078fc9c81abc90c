import { DatabaseSync } from 'node:sqlite';
import { SQLITE_BUSY, sqliteResultCode } from './catalogue-fault.ts';

/** Held locks: a database that nothing refers to is closed by garbage collection, and its lock would go with it. */
const held = new Set<DatabaseSync>();

/**
 * Takes the operating system's lock on a file of its own (SQLite takes and keeps it), which ends with the process, however that ends:
 * there is no stale lock to remove by hand.
 * @returns what gives it back; undefined: another process has it, or another part of this one
 */
export function tryFileLock(file: string, waitMilliseconds: number): (() => void) | undefined {
  const database = new DatabaseSync(file, { timeout: waitMilliseconds });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE;');
  } catch (error) {
    database.close();
    if (sqliteResultCode(error) === SQLITE_BUSY) return undefined;
    throw error;
  }
  held.add(database);
  return () => {
    if (held.delete(database)) database.close();
  };
}
