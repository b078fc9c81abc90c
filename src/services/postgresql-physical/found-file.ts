import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { systemErrorCode } from '../../core/errors.ts';
import type { FoundFile } from './cluster-storing.ts';

/** Undefined where it was removed meanwhile. Links are not followed, and pipes not waited for. */
export async function openedFile(place: Buffer | string): Promise<FileHandle | undefined> {
  return open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(unlessAbsent);
}

/** What an open file is; closes it where that cannot be told. */
export async function foundBy(handle: FileHandle): Promise<FoundFile> {
  try {
    const found = await handle.stat();
    return { size: found.size, metadata: metadataOf(found) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

export function metadataOf({ mode, uid, gid, mtimeMs }: Stats): FoundFile['metadata'] {
  return {
    mode: mode & 0o7777,
    uid,
    gid,
    // Whole seconds, as the server gives them.
    modifiedAt: BigInt(Math.floor(mtimeMs / 1000)) * 1_000_000_000n,
  };
}

export function unlessAbsent(error: unknown): undefined {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
}
