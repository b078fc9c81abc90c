import { rmSync } from 'node:fs';
import { access, constants, lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemErrorCode } from '../../../core/errors.ts';
import { startChild } from '../../../process/child-process.ts';
import { isProcessAlive, ownProcess } from '../../../process/process-owner.ts';
import { toolMissing } from './decoding-faults.ts';

const PREFIX = 'holdfast-gpg-';
const MEMORY = '/dev/shm';
/** Names the process that uses the home. */
const OWNER_FILE = 'holdfast-owner';

/**
 * A folder of its own for a run of GnuPG, and removes those that a process left which was killed: keys may lie in them.
 * @param folder where it is made; default: in memory, where the system has a folder for that, so that no key lies on a disk
 */
export async function makeGnupgHome(folder?: string): Promise<string> {
  const parent = folder ?? ((await isWritable(MEMORY)) ? MEMORY : tmpdir());
  await removeLeftovers(parent);
  const home = await mkdtemp(path.join(parent, PREFIX));
  if (inUse.size === 0) process.on('exit', removeAllNow);
  inUse.add(home);
  await writeFile(path.join(home, OWNER_FILE), ownProcess());
  return home;
}

/** Ends the agent that GnuPG started, which outlives it, and removes the home. */
export async function removeGnupgHome(home: string, environment: NodeJS.ProcessEnv): Promise<void> {
  try {
    for (const action of [['--kill', 'all'], ['--remove-socketdir']]) {
      const child = startChild('gpgconf', action, {
        ...{ environment, signal: NEVER },
        notStarted: (cause) => toolMissing('gpgconf', 'gnupg', cause),
      });
      child.stdin.end();
      child.stdout.resume();
      // Without gpgconf, the agent ends by itself a while after it sees that its folder is gone.
      await child.ended.catch(() => undefined);
    }
  } finally {
    await rm(home, { recursive: true, force: true, maxRetries: 3 });
    inUse.delete(home);
    if (inUse.size === 0) process.off('exit', removeAllNow);
  }
}

const inUse = new Set<string>();

/** A process that is told to end at once waits for nothing; the agent ends when its home is gone. */
function removeAllNow(): void {
  for (const home of inUse) rmSync(home, { recursive: true, force: true });
}

const NEVER = new AbortController().signal;

async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const home = path.join(parent, name);
    if (name.startsWith(PREFIX) && (await isLeftover(home)))
      await rm(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Folders of other users are left alone. One that names no owner yet is being made at this moment, or was made by somebody else. */
async function isLeftover(home: string): Promise<boolean> {
  try {
    const status = await lstat(home);
    if (!status.isDirectory() || status.uid !== process.geteuid?.()) return false;
    const owner = await readFile(path.join(home, OWNER_FILE), 'utf8');
    return owner !== '' && !isProcessAlive(owner);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function isWritable(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
