import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import { makeFolders } from '../../process/make-folders.ts';
import { isDenied, SQLITE_NOTADB, sqliteResultCode } from './catalogue-fault.ts';
import { tryFileLock } from './file-lock.ts';

/** Who looks whether a service runs has the lock for a moment; a service that starts just then waits for that. */
const WAIT_MILLISECONDS = 300;

/**
 * Makes sure that one service runs on a data folder. Its lock ends with the process, however that ends.
 *
 * @throws HoldfastError `data-folder-in-use` (locked), naming the process that has it; `data-folder-denied` (denied);
 * `service-lock-damaged` (damaged)
 */
export async function acquireServiceLock(dataFolder: string): Promise<{ release(): Promise<void> }> {
  try {
    makeFolders(dataFolder, { mode: 0o700 });
    const end = tryFileLock(lockFile(dataFolder), WAIT_MILLISECONDS);
    if (end === undefined) throw inUse(dataFolder);
    writeFileSync(holderFile(dataFolder), `${process.pid}\n`, { mode: 0o600 });
    return {
      async release() {
        end();
      },
    };
  } catch (error) {
    throw lockFault(error, dataFolder);
  }
}

/** The id of the process that serves a data folder now, or undefined. */
export async function serviceLockHolder(dataFolder: string): Promise<number | undefined> {
  let end: (() => void) | undefined;
  try {
    end = tryFileLock(lockFile(dataFolder), 0);
  } catch (error) {
    // A data folder that is not there or cannot be written to is served by nobody.
    if (error instanceof Error) return undefined;
    throw error;
  }
  if (end === undefined) return holderOf(dataFolder);
  end();
  return undefined;
}

function lockFile(dataFolder: string): string {
  return path.join(dataFolder, 'service.lock');
}

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

function inUse(dataFolder: string): HoldfastError {
  const holder = holderOf(dataFolder);
  const who = holder === undefined ? 'Another process' : `Process ${holder}`;
  return new HoldfastError(
    'locked',
    'data-folder-in-use',
    `${who} is serving the data folder ${dataFolder} already. Stop it first, or give this one a data folder of its own with --data.`,
  );
}

function lockFault(error: unknown, dataFolder: string): unknown {
  if (error instanceof HoldfastError) return error;
  if (sqliteResultCode(error) === SQLITE_NOTADB) {
    return new HoldfastError(
      'damaged',
      'service-lock-damaged',
      `${lockFile(dataFolder)} is not what Holdfast put there. It holds nothing of value: remove it and start again.`,
      { cause: error },
    );
  }
  if (isDenied(error)) {
    return new HoldfastError(
      'denied',
      'data-folder-denied',
      `The data folder ${dataFolder} cannot be made or written to (${messageOf(error)}). Check the path, its owner and permissions, or choose another one with --data.`,
      { cause: error },
    );
  }
  return error;
}
