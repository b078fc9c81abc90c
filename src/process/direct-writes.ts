import { constants, openSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { systemErrorCode } from '../core/errors.ts';

/** Opens a file past the page cache. @returns undefined where that cannot be done */
export function openDirect(file: string | Buffer, flags: number): number | undefined {
  if (constants.O_DIRECT === undefined) return undefined;
  try {
    return openSync(file, flags | constants.O_DIRECT);
  } catch (error) {
    if (systemErrorCode(error) !== 'EINVAL') throw error;
    return undefined;
  }
}

/** @param ordinary takes what the direct descriptor refuses for its alignment (disks of larger sectors) */
export function writeAllSync(descriptor: number, bytes: Uint8Array, position: number, ordinary = descriptor): void {
  let chosen = descriptor;
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(chosen, bytes, done, bytes.length - done, position + done);
    } catch (error) {
      if (chosen === ordinary || systemErrorCode(error) !== 'EINVAL') throw error;
      chosen = ordinary;
    }
  }
}

/** As `writeAllSync`, while the caller goes on. */
export async function writeAll(
  descriptor: number,
  bytes: Uint8Array,
  position: number,
  ordinary: number,
): Promise<void> {
  let chosen = descriptor;
  for (let done = 0; done < bytes.length; ) {
    try {
      done += (await writeAsync(chosen, bytes, done, bytes.length - done, position + done)).bytesWritten;
    } catch (error) {
      if (chosen === ordinary || systemErrorCode(error) !== 'EINVAL') throw error;
      chosen = ordinary;
    }
  }
}

const writeAsync = promisify(write);
