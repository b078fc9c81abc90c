import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import { syncFolder } from '../../process/sync-folder.ts';
import type { CommandSession } from './command-session.ts';
import { usageError } from './exit-codes.ts';
import { type ProgressDisplay, startProgress } from './progress-display.ts';

/**
 * Writes restored content to a file, which appears whole or not at all, or to standard output (`-`).
 *
 * @param size bytes to expect, for progress only
 * @param replacement the option of the command that replaces what is there
 * @returns bytes written
 * @throws HoldfastError `output-exists` (conflict), `output-unwritable` (invalid)
 */
export async function writeContent(
  bytes: AsyncIterable<Uint8Array>,
  output: string,
  size: number,
  session: CommandSession,
  conflict: 'fail' | 'skip' | 'overwrite' | 'newer',
  replacement = '--conflict overwrite',
): Promise<number> {
  const display = startProgress('restore', session.output.options);
  const counter = { bytes: 0 };
  try {
    const source = Readable.from(counted(bytes, size, display, counter), { objectMode: false });
    if (output === '-') await pipeline(source, process.stdout, { signal: session.signal, end: false });
    else await writeFile(source, resolve(output), session.signal, { conflict, replacement });
    return counter.bytes;
  } finally {
    display.end();
  }
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
  display: ProgressDisplay,
  counter: { bytes: number },
): AsyncIterable<Uint8Array> {
  for await (const piece of bytes) {
    counter.bytes += piece.byteLength;
    const percent = size === 0 ? 100 : Math.min(100, Math.floor((counter.bytes / size) * 100));
    display.report({ percent, doneBytes: counter.bytes, totalBytes: Math.max(size, counter.bytes) });
    yield piece;
  }
}

async function writeFile(
  source: Readable,
  path: string,
  signal: AbortSignal,
  { conflict, replacement }: { conflict: 'fail' | 'skip' | 'overwrite' | 'newer'; replacement: string },
): Promise<void> {
  if (conflict !== 'fail' && conflict !== 'overwrite') {
    throw usageError('conflict-unsuitable', `"--conflict ${conflict}" is for files; --output takes fail or overwrite.`);
  }
  const unfinished = `${path}.holdfast-${process.pid}`;
  const file = await create(unfinished);
  try {
    await pipeline(source, file.createWriteStream({ flush: true }), { signal });
    if (conflict === 'overwrite') await rename(unfinished, path);
    else await publish(unfinished, path, replacement);
    await syncFolder(dirname(path));
  } finally {
    await unlink(unfinished).catch(ignoreMissing);
  }
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    const reason =
      systemErrorCode(error) === 'ENOENT'
        ? `there is no folder ${dirname(path)}. Make it first, or name a file in another one`
        : messageOf(error);
    throw new HoldfastError('invalid', 'output-unwritable', `The output cannot be written: ${reason}.`);
  }
}

/** A link, unlike a rename, does not replace what is there. */
async function publish(unfinished: string, path: string, replacement: string): Promise<void> {
  try {
    await link(unfinished, path);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    throw new HoldfastError(
      'conflict',
      'output-exists',
      `${path} exists and was left as it is. Name another file, or replace it with ${replacement}.`,
    );
  }
}

function ignoreMissing(error: unknown): void {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
}
