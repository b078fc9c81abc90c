import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolders } from '../../../process/make-folders.ts';

/** A folder that is nobody else's (0700), with files that are as private (0600). */
export interface PrivateFiles {
  folder: string;
  source: string;
  /** An empty file. */
  target: string;
  remove(): Promise<void>;
}

/** Writes bytes to a private file. Nothing is left where that fails. */
export async function writePrivately(
  bytes: AsyncIterable<Uint8Array>,
  temporaryFolder: string,
  signal: AbortSignal,
): Promise<PrivateFiles> {
  makeFolders(temporaryFolder, { mode: 0o700 });
  const folder = await mkdtemp(path.join(temporaryFolder, 'variant-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const source = path.join(folder, 'source.sqlite');
  const target = path.join(folder, 'target.sqlite');
  try {
    await (await open(target, 'wx', 0o600)).close();
    const file = await open(source, 'wx', 0o600);
    try {
      for await (const piece of bytes) {
        signal.throwIfAborted();
        await file.writeFile(piece);
      }
    } finally {
      await file.close();
    }
    signal.throwIfAborted();
    return { folder, source, target, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

const PIECE = 256 << 10;

/** The bytes of a file. */
export function bytesOfFile(file: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  return createReadStream(file, { highWaterMark: PIECE, signal });
}
