import type { SnapshotReader, TaskRunner } from '../../core/ports/repository.ts';
import type { RestoreDamage } from '../../core/ports/service.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';
import { removeFile } from './file-writer.ts';
import type { RestoreTaskResult } from './restore-result.ts';
import type { FileChunk, RestoreTask } from './restore-task.ts';
import { contentDiffers, namingFile } from './unreadable-content.ts';

export interface LargeFileOptions {
  reader: SnapshotReader;
  runner: TaskRunner<RestoreTask, RestoreTaskResult>;
  /** Plain bytes that one task writes. */
  taskBytes: number;
  allowDamaged: boolean;
  signal: AbortSignal;
  take(result: RestoreTaskResult): void;
  /** Told of bytes that were written of a file that is not complete yet; a negative number when it is, or failed. */
  wrote(bytes: number): void;
  /** Told of bytes that the backup records as lost, if damage is allowed. */
  lose(damage: RestoreDamage): void;
}

/**
 * Writes a large file with several tasks at once, under a temporary name until all of it is there.
 *
 * @returns whether it was made (would be, in a dry run), rather than skipped
 */
export async function restoreLargeFile(entry: TreeEntry, options: LargeFileOptions): Promise<boolean> {
  const { runner, signal, take, wrote } = options;
  const begin = await runner.run({ kind: 'begin', entry });
  take(begin);
  if (begin.begun === undefined) return begin.made.length > 0;
  const { temporary, replace } = begin.begun;
  const tasks: Promise<unknown>[] = [];
  let written = 0;
  const count = (bytes: number): void => {
    written += bytes;
    wrote(bytes);
  };
  try {
    await writeContent(entry, temporary, tasks, { ...options, wrote: count });
    signal.throwIfAborted();
    const finished = await runner.run({ kind: 'finish', entry, temporary, replace });
    // It is complete, and counts as that from here on.
    count(-written);
    take(finished);
  } catch (error) {
    await Promise.allSettled(tasks);
    removeFile(temporary);
    throw namingFile(error, entry.path);
  } finally {
    wrote(-written);
  }
  return true;
}

/** @param tasks those under way, for the caller to wait for if one fails */
async function writeContent(
  entry: TreeEntry,
  temporary: ByteString,
  tasks: Promise<unknown>[],
  options: LargeFileOptions,
): Promise<void> {
  const { reader, runner, signal, take, wrote } = options;
  for await (const chunks of windows(entry, options)) {
    signal.throwIfAborted();
    const task = runner.run({ kind: 'ranges', path: entry.path, temporary, chunks }).then((result) => {
      wrote(chunks.reduce((sum, { length }) => sum + length, 0));
      take(result);
    });
    // It is awaited later; until then its error must not count as unhandled.
    task.catch(() => undefined);
    tasks.push(task);
    if (tasks.length >= reader.concurrency * 2) await tasks.shift();
  }
  await Promise.all(tasks);
}

/** The chunks of a file in groups of some bytes. */
async function* windows(
  entry: TreeEntry,
  { reader, taskBytes, allowDamaged, lose }: LargeFileOptions,
): AsyncGenerator<readonly FileChunk[]> {
  let window: FileChunk[] = [];
  let bytes = 0;
  let offset = 0;
  const content = entry.content ?? { segments: [] };
  for await (const { id, length, missing } of reader.segments(content, { despiteDamage: allowDamaged })) {
    if (missing === true) lose({ path: printable(entry.path), offset, length, reason: 'These bytes are lost.' });
    if (id !== null) {
      window.push({ id, tag: offset, length });
      bytes += length;
    }
    offset += length;
    if (bytes < taskBytes) continue;
    yield window;
    window = [];
    bytes = 0;
  }
  if (offset !== (entry.size ?? 0)) throw contentDiffers(entry.path);
  if (window.length > 0) yield window;
}
