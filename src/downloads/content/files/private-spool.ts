import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import path from 'node:path';

/** Bytes that are kept until all of them are known. */
export interface SpooledBytes {
  size: number;
  /** May be read once. */
  bytes(): AsyncIterable<Uint8Array>;
  /** Must be called. */
  close(): Promise<void>;
}

/** What is kept in memory; more is written to a file. */
const IN_MEMORY = 4 << 20;
const PIECE = 256 << 10;

/**
 * Keeps bytes, beyond 4 MiB in a private file (0600) whose name is taken away as soon as it is open, so that nothing stays however this process ends. What is free in the
 * folder is the limit of their size.
 */
export async function spooled(
  source: AsyncIterable<Uint8Array>,
  temporaryFolder: string,
  signal: AbortSignal,
): Promise<SpooledBytes> {
  let [held, size]: [Uint8Array[], number] = [[], 0];
  let file: FileHandle | undefined;
  try {
    for await (const piece of source) {
      signal.throwIfAborted();
      held.push(piece);
      size += piece.length;
      if (file === undefined && size <= IN_MEMORY) continue;
      file ??= await openNameless(temporaryFolder);
      await writeAll(file, held);
      held = [];
    }
  } catch (error) {
    await file?.close();
    throw error;
  }
  const opened = file;
  return {
    size,
    bytes: () => (opened === undefined ? each(held) : readAll(opened, size, signal)),
    close: async () => opened?.close(),
  };
}

async function openNameless(temporaryFolder: string): Promise<FileHandle> {
  const folder = await mkdtemp(path.join(temporaryFolder, 'holdfast-variant-'));
  try {
    return await open(path.join(folder, 'masked'), 'wx+', 0o600);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeAll(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  for (const piece of pieces) await file.writeFile(piece);
}

async function* readAll(file: FileHandle, size: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; ) {
    signal.throwIfAborted();
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, size - at));
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) throw new Error('A temporary file of a variant has become shorter.');
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
