import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';

/**
 * Makes sure that one service runs on a data folder. The lock is the operating system's on a file of its own (SQLite takes
 * and keeps it), so that it ends with the process, however that ends: there is no stale lock to remove by hand.
 *
 * @throws HoldfastError `data-folder-in-use` (locked), naming the process that has it
 */
export async function acquireServiceLock(dataFolder: string): Promise<{ release(): Promise<void> }> {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const database = tryLock(dataFolder);
  if (database === undefined) {
    const holder = holderOf(dataFolder);
    const who = holder === undefined ? 'Another process' : `Process ${holder}`;
    throw new HoldfastError(
      'locked',
      'data-folder-in-use',
      `${who} is serving the data folder ${dataFolder} already. Stop it first, or give this one a data folder of its own with --data.`,
    );
  }
  writeFileSync(holderFile(dataFolder), `${process.pid}\n`, { mode: 0o600 });
  return {
    async release() {
      database.close();
    },
  };
}

/** The id of the process that serves a data folder now, or undefined. */
export async function serviceLockHolder(dataFolder: string): Promise<number | undefined> {
  let database: DatabaseSync | undefined;
  try {
    database = tryLock(dataFolder);
  } catch (error) {
    // A data folder that is not there or cannot be written to is served by nobody.
    if (error instanceof Error) return undefined;
    throw error;
  }
  if (database === undefined) return holderOf(dataFolder);
  database.close();
  return undefined;
}

function tryLock(dataFolder: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path.join(dataFolder, 'service.lock'), { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE;');
    return database;
  } catch (error) {
    database.close();
    if (
      error instanceof Error &&
      'errcode' in error &&
      typeof error.errcode === 'number' &&
      (error.errcode & 0xff) === SQLITE_BUSY
    )
      return undefined;
    throw error;
  }
}

const SQLITE_BUSY = 5;

function holderFile(dataFolder: string): string {
  return path.join(dataFolder, 'service.pid');
}

function holderOf(dataFolder: string): number | undefined {
  try {
    const holder = Number.parseInt(readFileSync(holderFile(dataFolder), 'utf8'), 10);
    return Number.isSafeInteger(holder) ? holder : undefined;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
