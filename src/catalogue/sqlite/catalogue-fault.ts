import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';

/** Result codes of SQLite (https://sqlite.org/rescode.html): the lowest byte of the extended ones. */
export const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
export const SQLITE_NOTADB = 26;

/** SQLite's result code of an error that `node:sqlite` threw, or undefined for any other error. */
export function sqliteResultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

/** Whether a path could not be made, opened or written to. */
export function isDenied(error: unknown): boolean {
  const code = sqliteResultCode(error);
  if (code === SQLITE_READONLY || code === SQLITE_CANTOPEN) return true;
  return DENIED_SYSTEM_CODES.has(systemErrorCode(error) ?? '');
}

/** What a fault of the catalogue's file means and what to do about it; other errors are given back as they are. */
export function catalogueFault(error: unknown, file: string): unknown {
  if (error instanceof HoldfastError) return error;
  if (isDenied(error)) {
    return new HoldfastError(
      'denied',
      'catalogue-denied',
      `The catalogue ${file} cannot be opened for writing. Check the path, the owner and the permissions of the data folder.`,
      { cause: error },
    );
  }
  const code = FULL_SYSTEM_CODES.has(systemErrorCode(error) ?? '') ? SQLITE_FULL : sqliteResultCode(error);
  switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new HoldfastError(
        'damaged',
        'catalogue-damaged',
        `The catalogue ${file} is damaged (${messageOf(error)}). The backups are safe in the repository: move the file away and run \`holdfast recover\`.`,
        { cause: error },
      );
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return catalogueLocked(file, error);
    case SQLITE_FULL:
      return new HoldfastError(
        'unavailable',
        'catalogue-full',
        `The disk of the catalogue ${file} is full. What was written before is safe; free some space, then try again.`,
        { cause: error },
      );
    case SQLITE_IOERR:
      return new HoldfastError(
        'damaged',
        'catalogue-disk-error',
        `The disk reported an error at the catalogue ${file} (${messageOf(error)}). Check the disk. The backups are in the repository: a new catalogue can be made with \`holdfast recover\`.`,
        { cause: error },
      );
    default:
      return error;
  }
}

export function catalogueLocked(file: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'locked',
    'catalogue-locked',
    `Another program keeps the catalogue ${file} locked. End it, or try again when it is done.`,
    { cause },
  );
}

const DENIED_SYSTEM_CODES = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
  'ELOOP',
  'ENAMETOOLONG',
]);
const FULL_SYSTEM_CODES = new Set(['ENOSPC', 'EDQUOT']);
