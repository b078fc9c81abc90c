import type { RunningService, ServiceLock } from '../core/composition.ts';
import type { Clock } from '../core/ports/clock.ts';
import { announce, announcementOf, withdraw } from './service-announcement.ts';

/** Makes this process the one that serves a data folder, which others then find by what it announces. */
export async function acquireServiceLock(dataFolder: string, clock: Clock): Promise<ServiceLock> {
  const { acquireServiceLock: acquire } = await import('../catalogue/sqlite/service-lock.ts');
  const lock = await acquire(dataFolder);
  const startedAt = clock.now().toISOString();
  return {
    announce: (url) => announce(dataFolder, { pid: process.pid, url, startedAt }),
    release: async () => {
      await withdraw(dataFolder);
      await lock.release();
    },
  };
}

/** The service of a data folder, if one runs; without an address until it has announced itself. */
export async function runningService(dataFolder: string): Promise<RunningService | undefined> {
  const { serviceLockHolder } = await import('../catalogue/sqlite/service-lock.ts');
  const pid = await serviceLockHolder(dataFolder);
  if (pid === undefined) return undefined;
  const announced = await announcementOf(dataFolder, pid);
  return { pid, ...announced };
}
