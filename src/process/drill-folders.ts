import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemErrorCode } from '../core/errors.ts';
import type { DrillFolder, DrillFolders } from '../core/ports/drill-folders.ts';

/** Short, because the path of a socket below it may not be longer than 107 bytes. */
const PREFIX = 'holdfast-drill-';
const SLASH = Buffer.from('/');
/** Names the process that uses the folder. */
const OWNER_FILE = 'owner';
/** A folder whose owner is not written down: between two system calls, or for ever. */
const NAMELESS_FOR_MILLISECONDS = 3_600_000;

/**
 * Folders for drills, below the system's folder for temporary files (`TMPDIR`). Each holds a file that names its process, so that
 * another one sees whether that is gone.
 *
 * @param owner names this process
 * @param parent where they are made; default: the system's
 */
export function createDrillFolders(options: {
  owner: string;
  isAlive(owner: string): boolean;
  parent?: string;
}): DrillFolders {
  const { owner, isAlive } = options;
  const parent = () => options.parent ?? tmpdir();
  return {
    async make() {
      const folder = await mkdtemp(path.join(parent(), PREFIX));
      // Passed through by servers that run as another user; what is in it they cannot list.
      await chmod(folder, 0o711);
      await writeFile(path.join(folder, OWNER_FILE), owner, { mode: 0o600 });
      const inside = path.join(folder, 'restored');
      await mkdir(inside, { mode: 0o700 });
      return new PrivateFolder(folder, inside);
    },
    async removeLeftovers() {
      const removed: string[] = [];
      for (const name of await readdir(parent())) {
        if (!name.startsWith(PREFIX)) continue;
        const folder = path.join(parent(), name);
        if (!(await isLeftover(folder, (found) => found === owner || isAlive(found)))) continue;
        await endProcessesIn(folder);
        await removeWhole(folder);
        removed.push(folder);
      }
      return removed;
    },
  };
}

class PrivateFolder implements DrillFolder {
  readonly #whole: string;
  readonly path: string;

  constructor(whole: string, inside: string) {
    this.#whole = whole;
    this.path = inside;
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  async remove(): Promise<void> {
    await endProcessesIn(this.#whole);
    await removeWhole(this.#whole);
  }
}

/**
 * A restored folder may be one that its own owner may not change; only root can empty it as it is. A removal that failed goes on
 * elsewhere in the tree for a while, so that things vanish meanwhile.
 */
async function removeWhole(folder: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      return;
    } catch (error) {
      if (attempt === MOST_ATTEMPTS || !TRIED_AGAIN.has(systemErrorCode(error) ?? '')) throw error;
      await openFolders(Buffer.from(folder));
    }
  }
}

const MOST_ATTEMPTS = 10;
const TRIED_AGAIN = new Set(['EACCES', 'EPERM', 'ENOTEMPTY', 'ENOENT']);

async function openFolders(folder: Buffer): Promise<void> {
  try {
    await chmod(folder, 0o700);
    for (const entry of await readdir(folder, { withFileTypes: true, encoding: 'buffer' }))
      if (entry.isDirectory()) await openFolders(Buffer.concat([folder, SLASH, entry.name]));
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

/** Folders of other users are left alone: whoever may write into one could lead the removal elsewhere. */
async function isLeftover(folder: string, isAlive: (owner: string) => boolean): Promise<boolean> {
  try {
    const status = await lstat(folder);
    if (!status.isDirectory() || status.uid !== process.geteuid?.() || (status.mode & 0o022) !== 0) return false;
    const owner = await ownerOf(folder);
    if (owner !== undefined) return !isAlive(owner);
    return Date.now() - status.mtimeMs > NAMELESS_FOR_MILLISECONDS;
  } catch (error) {
    // Somebody else removed it meanwhile.
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function ownerOf(folder: string): Promise<string | undefined> {
  try {
    return (await readFile(path.join(folder, OWNER_FILE), 'utf8')) || undefined;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A server that outlived its drill works in the folder. Systems without /proc have no such look; it ends by itself there. */
async function endProcessesIn(folder: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const pids = await processesIn(folder);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (systemErrorCode(error) !== 'ESRCH') throw error;
      }
    }
    await sleep(50);
  }
}

async function processesIn(folder: string): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  const found: number[] = [];
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const place = await readlink(`/proc/${name}/cwd`).catch(() => '');
    if (place === folder || place.startsWith(`${folder}/`)) found.push(Number(name));
  }
  return found;
}
