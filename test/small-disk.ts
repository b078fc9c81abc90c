import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A folder on a small disk of its own, until this process ends. */
export interface SmallDisk {
  folder: string;
  /** Why there is none here; false where there is one. */
  skip: string | false;
}

export function mountSmallDisk(name: string, megabytes: number): SmallDisk {
  const folder = mkdtempSync(path.join(tmpdir(), `holdfast-${name}-`));
  const isMounted = mounts(folder, megabytes);
  process.on('exit', () => {
    if (isMounted) execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    skip: isMounted ? false : 'needs a small disk of its own: run as root where mounting is allowed (`sudo npm test`)',
  };
}

function mounts(folder: string, megabytes: number): boolean {
  if (process.geteuid?.() !== 0) return false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    // A container without the right to mount: the test says so.
    return false;
  }
}
