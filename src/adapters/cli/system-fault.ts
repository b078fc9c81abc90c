import { userInfo } from 'node:os';
import { messageOf, systemErrorCode } from '../../core/errors.ts';

/** What the system refused, for people who meant no harm: another account's folder, a full disk. */
export interface SystemFault {
  /** Stable, as the codes of Holdfast's own errors. */
  code: string;
  message: string;
}

/**
 * Says what a system call failed with in the way of Holdfast's own errors.
 * @returns undefined for what nobody can do anything about by reading it
 */
export function systemFault(error: unknown): SystemFault | undefined {
  const path = (error as { path?: unknown }).path;
  // Without a place, what the system said is all there is: `listen EACCES: permission denied 0.0.0.0:80`.
  const what = typeof path === 'string' ? path : `What was asked for (${messageOf(error)})`;
  return FAULTS[systemErrorCode(error) ?? '']?.(what);
}

const FAULTS: Readonly<Record<string, (what: string) => SystemFault>> = {
  EACCES: permissionDenied,
  EPERM: permissionDenied,
  EROFS: (what) => ({
    code: 'file-system-read-only',
    message: `${what} lies on a file system that cannot be written to. Mount it for writing, or choose another place.`,
  }),
  ENOSPC: (what) => ({
    code: 'disk-full',
    message: `${what}: no space is left on that disk. Make room and try again; nothing that was reported complete is lost.`,
  }),
  EDQUOT: (what) => ({
    code: 'disk-full',
    message: `${what}: the quota of ${account()} is used up there. Make room and try again; nothing that was reported complete is lost.`,
  }),
  ENOTDIR: (what) => ({
    code: 'not-a-folder',
    message: `${what} is not there, because something on the way to it is a file and no folder. Correct the path (--data says where the data folder is).`,
  }),
};

function permissionDenied(what: string): SystemFault {
  const message = `${what} may not be used by ${account()}. Run this as the account that it belongs to, or give ${account()} the right.`;
  return { code: 'permission-denied', message };
}

function account(): string {
  try {
    return `the account ${userInfo().username}`;
  } catch {
    // Containers run under numbers that no list of accounts has.
    return `the account ${process.getuid?.() ?? 'of this process'}`;
  }
}
