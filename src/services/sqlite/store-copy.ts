import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotWriter } from '../../core/ports/repository.ts';
import type { SnapshotRoot } from '../../core/snapshot-record.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';
import type { SegmentTask } from './segment-task.ts';

const TASK_MODULE = new URL('./segment-task.ts', import.meta.url).href;

export interface CopyToStore {
  path: string;
  /** bytes */
  length: number;
  segmentBytes: number;
  writer: SnapshotWriter;
  signal: AbortSignal;
  onBytes: (bytes: number) => void;
}

/**
 * Stores a private copy in segments of a fixed length and takes its SHA-256 (hex) of the very bytes that are stored: the copy
 * is read once. Memory is a few buffers, whatever the length.
 */
export async function storeCopy(
  copy: CopyToStore,
): Promise<{ sha256: string; root: Extract<SnapshotRoot, { kind: 'stream' }> }> {
  const file = await open(copy.path, 'r');
  const waiting: Promise<ContentSegment[]>[] = [];
  try {
    return await new CopyStoring(copy, file, waiting).run();
  } finally {
    // Worker threads may still be reading the buffers; only then is this backup's memory free.
    await Promise.allSettled(waiting);
    await file.close();
  }
}

class CopyStoring {
  readonly #copy: CopyToStore;
  readonly #file: FileHandle;
  readonly #waiting: Promise<ContentSegment[]>[];
  readonly #free: Buffer[] = [];
  readonly #segments: ContentSegment[] = [];
  readonly #batchBytes: number;

  constructor(copy: CopyToStore, file: FileHandle, waiting: Promise<ContentSegment[]>[]) {
    this.#copy = copy;
    this.#file = file;
    this.#waiting = waiting;
    this.#batchBytes = Math.ceil(BATCH_BYTES / copy.segmentBytes) * copy.segmentBytes;
  }

  async run(): Promise<{ sha256: string; root: Extract<SnapshotRoot, { kind: 'stream' }> }> {
    const { length, segmentBytes, writer, signal, onBytes } = this.#copy;
    const runner = writer.tasks<SegmentTask, ContentSegment[]>({ module: TASK_MODULE, options: {} });
    const hash = createHash('sha256');
    for (let offset = 0; offset < length; offset += this.#batchBytes) {
      signal.throwIfAborted();
      const buffer = this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.#batchBytes));
      const bytes = buffer.subarray(0, Math.min(this.#batchBytes, length - offset));
      await this.#fill(bytes, offset);
      hash.update(bytes);
      const stored = runner.run({ bytes, segmentBytes }).finally(() => this.#free.push(buffer));
      // It is awaited when its turn comes.
      stored.catch(() => undefined);
      this.#waiting.push(stored);
      while (this.#waiting.length > BATCHES_IN_FLIGHT) await this.#takeFirst();
      onBytes(offset + bytes.length);
    }
    while (this.#waiting.length > 0) await this.#takeFirst();
    const content = await writer.storeSegments(this.#segments);
    return { sha256: hash.digest('hex'), root: { kind: 'stream', length, content } };
  }

  async #takeFirst(): Promise<void> {
    for (const segment of (await this.#waiting[0]) ?? []) this.#segments.push(segment);
    this.#waiting.shift();
  }

  async #fill(bytes: Buffer, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0)
        throw new HoldfastError(
          'internal',
          'copy-incomplete',
          'The private copy of the database became shorter while it was read. Nothing was stored; try again.',
        );
      done += bytesRead;
    }
  }
}

const BATCH_BYTES = 4 * 1024 * 1024;
const BATCHES_IN_FLIGHT = 4;
