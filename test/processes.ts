import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const LONGEST_MILLISECONDS = 60_000;

/** The processes that work in a folder or below, as `name id`. */
export function processesIn(folder: string): string[] {
  return readdirSync('/proc').flatMap((id) => {
    if (!/^\d+$/.test(id)) return [];
    try {
      if (!readlinkSync(`/proc/${id}/cwd`).startsWith(folder)) return [];
      return [`${readFileSync(`/proc/${id}/comm`, 'utf8').trim()} ${id}`];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/**
 * Waits until the processes of a folder have ended: a connection that was being refused when its server stopped may keep one for
 * some seconds.
 */
export async function untilNoneIn(folder: string): Promise<void> {
  await until(folder, (found) => found.length === 0);
}

export async function untilOneIn(folder: string): Promise<void> {
  await until(folder, (found) => found.length > 0);
}

async function until(folder: string, isSo: (found: readonly string[]) => boolean): Promise<void> {
  const end = performance.now() + LONGEST_MILLISECONDS;
  for (let found = processesIn(folder); !isSo(found); found = processesIn(folder)) {
    if (performance.now() > end)
      throw new Error(
        `After ${LONGEST_MILLISECONDS / 1000} s, these processes work in ${folder}: ${found.join(', ') || 'none'}`,
      );
    await sleep(5);
  }
}
