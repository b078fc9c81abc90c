import { HoldfastError } from '../../core/errors.ts';
import { freeMemory } from '../../core/freed-memory.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { Content, ContentSegment } from '../../core/tree-entry.ts';
import type { ChunkParts, PartsTask } from './content-parts-task.ts';

const MODULE = new URL('./content-parts-task.ts', import.meta.url).href;
/** After so many bytes of chunks, or of parts of them, a task is whole: each opens its packs anew, and holds what it found. */
const TASK_CHUNK_BYTES = 4 << 20;
const TASK_BYTES = 1 << 20;
/** Of all that is at hand and under way. */
const MOST_BYTES = 4 << 20;
/** Tasks for each thread: one that it does, and those that wait for it. */
const TASKS_OF_THREAD = 3;

/**
 * Parts of a content, one after the other. Chunks in which nothing is wanted are not read; of the others each is verified, and what is not wanted of
 * them does not leave the worker threads. A piece stays as it is until the next one is asked for.
 * @param options `bounds`: where each part begins and where it ends, ascending; `name`: of the content, for errors
 * @throws HoldfastError `checksum-differs` (damaged) where the content is shorter; what reading chunks throws
 */
export async function* partsOfContent(options: {
  reader: SnapshotReader;
  content: Content;
  bounds: Float64Array;
  name: string;
  signal: AbortSignal;
}): AsyncGenerator<Uint8Array> {
  const { content, bounds, name, signal } = options;
  requireAscending(bounds);
  let left = 0;
  for (let at = 0; at < bounds.length; at += 2) left += (bounds[at + 1] as number) - (bounds[at] as number);
  for await (const piece of 'inline' in content ? inlineParts(content.inline, bounds) : storedParts(options)) {
    if (signal.aborted) throw new HoldfastError('cancelled', 'operation-cancelled', 'The download was cancelled.');
    left -= piece.length;
    yield piece;
  }
  if (left !== 0) throw shorter(name, left);
}

function* inlineParts(bytes: Uint8Array, bounds: Float64Array): Generator<Uint8Array> {
  for (let at = 0; at < bounds.length; at += 2) yield bytes.subarray(bounds[at], bounds[at + 1]);
}

async function* storedParts({
  reader,
  content,
  bounds,
}: Parameters<typeof partsOfContent>[0]): AsyncGenerator<Uint8Array> {
  const runner = reader.tasks<PartsTask, Uint8Array<ArrayBuffer>>({ module: MODULE, options: {} });
  const tasks = tasksOf(reader.segments(content), bounds);
  const begun: { bytes: number; found: Promise<Uint8Array<ArrayBuffer>> }[] = [];
  let bytesBegun = 0;
  for (let isEnd = false; ; ) {
    while (!isEnd && begun.length < reader.concurrency * TASKS_OF_THREAD && bytesBegun < MOST_BYTES) {
      const { value: task } = await tasks.next();
      if (task === undefined) {
        isEnd = true;
        break;
      }
      const found = runner.run(task);
      // It is awaited turns later; until then an error must not count as unhandled.
      found.catch(() => undefined);
      begun.push({ bytes: task.bytes, found });
      bytesBegun += task.bytes;
    }
    const next = begun.shift();
    if (next === undefined) return;
    const found = await next.found;
    yield found;
    freeMemory(found);
    bytesBegun -= next.bytes;
  }
}

async function* tasksOf(
  segments: AsyncIterable<ContentSegment>,
  bounds: Float64Array,
): AsyncGenerator<PartsTask, undefined> {
  let chunks: ChunkParts[] = [];
  let [chunkBytes, bytes, offset, next] = [0, 0, 0, 0];
  for await (const { id, length } of segments) {
    const within: number[] = [];
    const at = bytes;
    const end = offset + length;
    while (next < bounds.length && (bounds[next] as number) < end) {
      const from = Math.max(offset, bounds[next] as number);
      const to = Math.min(end, bounds[next + 1] as number);
      within.push(from - offset, to - offset);
      bytes += to - from;
      if ((bounds[next + 1] as number) > end) break;
      next += 2;
    }
    offset = end;
    // Where nothing was stored are zeros, as in memory that is new.
    if (id !== null && within.length > 0) {
      // A view would take the memory of its whole page to the thread.
      chunks.push({ id: new Uint8Array(id), length, at, bounds: Uint32Array.from(within) });
      chunkBytes += length;
    }
    if (chunkBytes >= TASK_CHUNK_BYTES || bytes >= TASK_BYTES) {
      yield { chunks, bytes };
      [chunks, chunkBytes, bytes] = [[], 0, 0];
    }
    if (next === bounds.length) break;
  }
  if (bytes > 0) yield { chunks, bytes };
}

function requireAscending(bounds: Float64Array): void {
  let last = 0;
  for (const bound of bounds) {
    if (!(bound >= last)) throw new RangeError('parts of a content are not in order');
    last = bound;
  }
  if (bounds.length % 2 !== 0) throw new RangeError('a part of a content has no end');
}

function shorter(name: string, left: number): HoldfastError {
  const message = `What is read of ${name} is not what was backed up (${left} bytes are missing). Do not use it; take an earlier backup, and verify the repository.`;
  return new HoldfastError('damaged', 'checksum-differs', message);
}
