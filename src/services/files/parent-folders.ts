import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { type DirectoryEnd, directoryEnd } from './restore-result.ts';
import { foldersAbove, type RestoreTarget, statusAt } from './restore-target.ts';

/**
 * Makes the folders above chosen paths that are not there. They were not asked for, but must not be made with rights of their
 * own: a file restored into a folder that was lost would be out of reach for all but who restored it. Folders that are there
 * stay as they are, and so do those that the backup does not hold.
 *
 * @returns what they are to become when all is in them
 * @throws HoldfastError `path-escapes-target` (denied)
 */
export async function makeParentFolders(
  reader: SnapshotReader,
  paths: readonly ByteString[],
  target: RestoreTarget,
): Promise<DirectoryEnd[]> {
  const made: DirectoryEnd[] = [];
  for (const folder of foldersAbove(paths)) {
    // A folder comes right before what is in it.
    const first = await reader
      .entries({ paths: [folder] })
      [Symbol.asyncIterator]()
      .next();
    if (first.done === true || first.value.path !== folder || first.value.type !== 'directory') continue;
    const place = target.place(folder);
    if (statusAt(place) !== undefined) continue;
    made.push(directoryEnd(first.value));
  }
  for (const { path } of made) target.ensureFolder(target.place(path));
  return made;
}
