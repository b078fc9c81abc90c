import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes a folder and its missing parents. Node's own recursive `mkdir` never ends where a folder that is there says ENOENT of what is to
 * be made in it, as /proc does.
 *
 * @returns the outermost folder that was made; undefined where all were there
 * @throws what the system says: EEXIST where something else than a folder stands in the way, ENOENT where nothing can be made
 */
export function makeFolders(folder: string, { mode }: { mode: number }): string | undefined {
  if (isFolder(folder)) return undefined;
  const parent = path.dirname(folder);
  const outermost = parent === folder ? undefined : makeFolders(parent, { mode });
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    // Another process may have made it at this moment.
    if (!isFolder(folder)) throw error;
    return outermost;
  }
  return outermost ?? folder;
}

function isFolder(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
}
