import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';

/**
 * What an error of SQLite means for whoever wanted something from a database. Codes: https://www.sqlite.org/rescode.html
 */
export function sqliteFault(error: unknown, path: string): unknown {
  if (error instanceof HoldfastError) return error;
  const code = resultCode(error);
  const options = { cause: error, details: { path } };
  if (code === undefined) return systemFault(error, path);
  if (code === READONLY_ROLLBACK)
    return new HoldfastError(
      'conflict',
      'database-needs-recovery',
      `${path} was left in the midst of a change, and its journal waits to be rolled back, which a backup does not do. Start its application, or open it once with the sqlite3 command line; then try again.`,
      options,
    );
  switch (code & 0xff) {
    case BUSY:
    case LOCKED:
      return databaseLocked(path, error);
    case NOT_A_DATABASE:
      return notADatabase(path, error);
    case CORRUPT:
      return new HoldfastError(
        'damaged',
        'database-damaged',
        `${path} is damaged: SQLite says “${messageOf(error)}”. Restore an earlier backup, or recover what is left with the sqlite3 command line’s .recover.`,
        options,
      );
    case FULL:
      return temporarySpaceShort(path, error);
    case CANNOT_OPEN:
    case READ_ONLY:
    case NOT_PERMITTED:
    case AUTHORISATION:
      return new HoldfastError(
        'denied',
        'database-unreadable',
        `${path} cannot be opened: SQLite says “${messageOf(error)}”. Holdfast needs to read the file; in WAL mode it also needs to write into its folder while nobody else has the database open.`,
        options,
      );
    case INPUT_OUTPUT:
      return new HoldfastError(
        'unavailable',
        'database-read-failed',
        `${path} could not be read: SQLite says “${messageOf(error)}”. Look at the disk that it lies on and at the room in the temporary folder.`,
        options,
      );
    default:
      return error;
  }
}

export function databaseLocked(path: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'locked',
    'database-locked',
    `${path} is locked by another process and did not become free in time. Wait for it to end its transaction (a process with \`locking_mode=EXCLUSIVE\` never does), or make \`busyTimeoutMilliseconds\` longer.`,
    { cause, details: { path } },
  );
}

export function notADatabase(path: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'invalid',
    'not-a-database',
    `${path} is not a SQLite database, or it is encrypted (SQLCipher and its like). Check \`path\`; back up an encrypted database as a file with the service \`files\` while its application is stopped.`,
    { cause, details: { path } },
  );
}

export function temporarySpaceShort(
  folder: string,
  cause?: unknown,
  bytes?: { needed: number; free: number },
): HoldfastError {
  const how = bytes === undefined ? '' : ` It needs ${bytes.needed} bytes and there are ${bytes.free}.`;
  return new HoldfastError(
    'unavailable',
    'temporary-space-short',
    `There is not enough room for the private copy of the database in ${folder}.${how} Free some space, or set \`temporaryFolder\` to a folder on a larger disk.`,
    { cause, details: { folder, ...bytes } },
  );
}

/** Whether SQLite lacks a function, collation or module that the database's own application brings along. */
export function needsExtension(error: unknown): boolean {
  return (
    resultCode(error) === GENERIC &&
    /no such (collation|function|module)|unknown (function|tokenizer)|no such tokenizer/i.test(messageOf(error))
  );
}

/** SQLite's extended result code. */
export function resultCode(error: unknown): number | undefined {
  if (error instanceof Error && 'errcode' in error && typeof error.errcode === 'number') return error.errcode;
  return undefined;
}

function systemFault(error: unknown, path: string): unknown {
  const options = { cause: error, details: { path } };
  switch (systemErrorCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new HoldfastError(
        'not-found',
        'database-missing',
        `There is no file ${path}. Check \`path\` in the resource’s configuration.`,
        options,
      );
    case 'EACCES':
    case 'EPERM':
      return new HoldfastError(
        'denied',
        'database-unreadable',
        `${path} may not be read by the user that Holdfast runs as. Give that user the right to read it.`,
        options,
      );
    case 'ENOSPC':
    case 'EDQUOT':
      return temporarySpaceShort(path, error);
    default:
      return error;
  }
}

const GENERIC = 1;
const NOT_PERMITTED = 3;
const BUSY = 5;
const LOCKED = 6;
const READ_ONLY = 8;
const INPUT_OUTPUT = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const AUTHORISATION = 23;
const NOT_A_DATABASE = 26;
const READONLY_ROLLBACK = 776;
