import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import { makeFolders } from '../../process/make-folders.ts';
import { storageFault } from './storage-fault.ts';

/**
 * Makes a folder of the storage and its missing parents, for their owner alone.
 * @returns the outermost folder that was made; undefined where all were there
 * @throws HoldfastError `storage-denied` (denied) and what `storageFault` makes of a failed call
 */
export function makeStorageFolders(folder: string): string | undefined {
  try {
    return makeFolders(folder, { mode: 0o700 });
  } catch (error) {
    if (!REFUSED.has(systemErrorCode(error) ?? '')) throw storageFault(error, folder);
    const message = `The folder ${folder} of the repository cannot be made (${messageOf(error)}). Check the path, its owner and permissions.`;
    throw new HoldfastError('denied', 'storage-denied', message, { cause: error, details: { object: folder } });
  }
}

const REFUSED = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG']);
