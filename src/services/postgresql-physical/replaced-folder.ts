import { lstat, readdir, readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { syncFolder } from '../../process/sync-folder.ts';

/** What every data folder has. */
const MARKS = ['PG_VERSION', path.join('global', 'pg_control')];
const LOCK_FILE = 'postmaster.pid';

/**
 * Makes sure that a folder that is not empty is a data folder that can be moved aside: nobody's working folder, no mount point.
 *
 * @throws HoldfastError `restore-target-in-use` (locked), `target-not-a-data-folder`, `target-is-mount-point` (conflict)
 */
export async function requireReplaceable(folder: string): Promise<void> {
  await requireStopped(folder);
  for (const mark of MARKS) {
    const found = await stat(path.join(folder, mark)).catch(() => undefined);
    if (found?.isFile()) continue;
    const message = `${folder} is not empty, and is no data folder of PostgreSQL (it has no ${mark}). Only those are replaced; name another place, or move it away. Nothing was changed.`;
    throw new HoldfastError('conflict', 'target-not-a-data-folder', message, { details: { path: folder } });
  }
  const [own, parent] = await Promise.all([stat(folder), stat(path.dirname(folder))]);
  if (own.dev === parent.dev) return;
  const message = `${folder} is a file system of its own, which cannot be moved aside. Restore into another folder of it, or empty it by hand. Nothing was changed.`;
  throw new HoldfastError('conflict', 'target-is-mount-point', message, { details: { path: folder } });
}

/**
 * Makes sure that no server works on a data folder: by its lock file, which a server that is stopped removes, and by the processes of this
 * machine, each of which that is a server's has the data folder as its working folder.
 * @throws HoldfastError `restore-target-in-use` (locked)
 */
export async function requireStopped(folder: string): Promise<void> {
  const lock = await readFile(path.join(folder, LOCK_FILE), 'utf8').catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (lock !== undefined) {
    const [first = ''] = lock.split('\n');
    const message = `A server runs in ${folder}, or did not end orderly there (postmaster.pid names process ${first || 'unknown'}). Nothing was changed. Stop it; or name another place by \`target\`. Where it was killed, start and stop it once, or, if it does not start and no container has the folder either, remove that file.`;
    throw inUse(folder, first, message);
  }
  const [process] = await workersIn(folder);
  if (process === undefined) return;
  const message = `The process ${process} works in ${folder}. Nothing was changed. Stop it, or name another place by \`target\`.`;
  throw inUse(folder, process, message);
}

function inUse(folder: string, process: string, message: string): HoldfastError {
  return new HoldfastError('locked', 'restore-target-in-use', message, { details: { path: folder, process } });
}

/** Processes whose working folder it is, as far as this one may look; none where the system does not say. */
async function workersIn(folder: string): Promise<string[]> {
  const own = await stat(folder);
  const found: string[] = [];
  for (const id of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    // The link's own text may be that of another mount namespace.
    const working = await stat(`/proc/${id}/cwd`).catch(() => undefined);
    if (working?.dev === own.dev && working.ino === own.ino) found.push(id);
  }
  return found;
}

/** A name for what is moved aside, that nobody has. @param at RFC 3339 */
export async function nameAside(folder: string, at: Date): Promise<string> {
  const time = at.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  for (let count = 1; ; count++) {
    const name = `${folder}.before-restore-${time}${count === 1 ? '' : `-${count}`}`;
    const found = await lstat(name).catch((error: unknown) => {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined) return name;
  }
}

/**
 * Puts a complete data folder in the place of another, which gets another name and is kept. Where that does not succeed, the old
 * one is in its place.
 * @throws HoldfastError `restore-target-in-use` (locked): a server was started meanwhile
 */
export async function exchange(restored: string, target: string, aside: string): Promise<void> {
  await requireReplaceable(target);
  await rename(target, aside);
  try {
    // One that was started in between goes on with its own files, wherever they are; it must find them in their place.
    await requireStopped(aside);
    await rename(restored, target);
    try {
      await syncFolder(path.dirname(target));
    } catch (error) {
      await rename(target, restored);
      throw error;
    }
  } catch (error) {
    await rename(aside, target);
    throw error;
  }
}
