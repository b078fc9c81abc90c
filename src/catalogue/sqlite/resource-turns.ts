import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { ResourceTurns } from '../../core/ports/resource-turns.ts';
import { makeFolders } from '../../process/make-folders.ts';
import { isDenied } from './catalogue-fault.ts';
import { tryFileLock } from './file-lock.ts';

const POLL_MILLISECONDS = 200;

/** Turns of the processes of one data folder: a lock on a file in `turns/` for each resource. The files stay; they are empty. */
export function createResourceTurns(dataFolder: string): ResourceTurns {
  return {
    async take(resourceId, signal, onWait) {
      const folder = path.join(dataFolder, 'turns');
      for (let attempt = 1; ; attempt++) {
        signal.throwIfAborted();
        const end = tryTurn(folder, resourceId);
        if (end !== undefined) return end;
        if (attempt === 1) onWait();
        await sleep(POLL_MILLISECONDS, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    },
  };
}

function tryTurn(folder: string, resourceId: string): (() => void) | undefined {
  try {
    makeFolders(folder, { mode: 0o700 });
    return tryFileLock(path.join(folder, `${resourceId}.lock`), 0);
  } catch (error) {
    if (!isDenied(error)) throw error;
    const message = `The folder ${folder} cannot be made or written to (${messageOf(error)}), so it cannot be told whether another process works on "${resourceId}", whose hooks must not overlap. Check its owner and permissions.`;
    throw new HoldfastError('denied', 'turns-denied', message, { cause: error });
  }
}
