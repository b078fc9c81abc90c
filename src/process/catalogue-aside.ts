import { rename, stat } from 'node:fs/promises';
import { systemErrorCode } from '../core/errors.ts';

/**
 * Moves a catalogue and what SQLite keeps beside it out of the way, to a name that is free.
 * @returns the new path, or undefined where there is no catalogue
 */
export async function setAside(file: string, now: Date): Promise<string | undefined> {
  if (!(await isThere(file))) return undefined;
  const stamp = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  let target = `${file}.${stamp}`;
  for (let number = 2; await isThere(target); number++) target = `${file}.${stamp}-${number}`;
  // The write-ahead log goes last: where this is cut off, SQLite throws away a log that lies beside no catalogue.
  for (const suffix of ['-shm', '', '-wal']) {
    if (await isThere(`${file}${suffix}`)) await rename(`${file}${suffix}`, `${target}${suffix}`);
  }
  return target;
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
