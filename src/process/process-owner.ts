import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * A name for this process that no other one on this machine ever has: host, process id and, where the system tells it, the
 * time of the process's start, because ids are used again.
 */
export function ownProcess(): string {
  return ownerOf(process.pid);
}

/**
 * Whether the process of such a name still runs. One of another host counts as gone: an embedded catalogue belongs to one
 * machine, and containers change their host name with each start.
 */
export function isProcessAlive(owner: string): boolean {
  const [, pid] = /^.*:(\d+):[^:]*$/.exec(owner) ?? [];
  return pid !== undefined && exists(Number(pid)) && ownerOf(Number(pid)) === owner;
}

function ownerOf(pid: number): string {
  return `${hostname()}:${pid}:${startOf(pid)}`;
}

/** Clock ticks since the machine's start, the 22nd field of proc(5)'s stat; its second one may hold blanks and brackets. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    // Systems without /proc: the process id alone must do.
    return '';
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
