import { HoldfastError, systemErrorCode } from '../../core/errors.ts';

/** What a failed system call means for whoever uses the storage. */
export function storageFault(error: unknown, key: string): Error {
  const details = { object: key };
  switch (systemErrorCode(error)) {
    case 'ENOENT':
      return new HoldfastError('not-found', 'object-missing', `${key} is not in the storage.`, {
        cause: error,
        details,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new HoldfastError(
        'unavailable',
        'storage-full',
        'The storage is full. Nothing was lost; free some space, then try again.',
        { cause: error, details },
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new HoldfastError(
        'denied',
        'storage-denied',
        `The storage refused access to ${key}. Check the owner and permissions of the repository's folder.`,
        { cause: error, details },
      );
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'EMLINK':
      return new HoldfastError(
        'unsupported',
        'storage-without-links',
        'This file system cannot make hard links, without which a commit cannot be atomic. Put the repository on another one.',
        { cause: error, details },
      );
    case 'EIO':
      return new HoldfastError('damaged', 'storage-broken', `The disk reported an error at ${key}. Check the disk.`, {
        cause: error,
        details,
      });
    default:
      return error instanceof Error ? error : new Error(String(error));
  }
}
