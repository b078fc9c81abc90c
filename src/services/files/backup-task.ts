import type { EncodedEntries, TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { ByteString, Content, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';
import { AccountNames } from './account-names.ts';
import { BaseEntries, type BaseEntry, isDamage } from './base-entries.ts';
import { printable } from './byte-path.ts';
import { isUnchanged, readStatus, toEntry, typeOf } from './file-metadata.ts';
import { FileReader, type FileSegment, isSparse, type SegmentResult } from './file-reader.ts';
import type { FilesSizes } from './sizes.ts';
import {
  changedWhileRead,
  faultWarning,
  fromSource,
  hasVanished,
  type SourceFault,
  sourceFaultOf,
} from './source-fault.ts';
import { StopFlag } from './stop-flag.ts';
import { terminated } from './system-calls.ts';

export interface BackupTaskOptions {
  sizes: FilesSizes;
  /** A stop flag's memory. */
  stop: SharedArrayBuffer;
}

export type BackupTask =
  | { kind: 'batch'; paths: readonly ByteString[]; basePages: readonly ContentSegment[] }
  | ({ kind: 'segment' } & FileSegment)
  | { kind: 'encode'; entry: TreeEntry };

export type BackupTaskResult = BatchResult | SegmentOutcome | Uint8Array;

export interface BatchResult {
  entries: EncodedEntries;
  large: LargeFile[];
  warnings: string[];
  counts: BatchCounts;
}

/** A file to be read in segments. */
export interface LargeFile {
  /** Where its entry belongs among the batch's. */
  position: number;
  entry: TreeEntry;
  /** As it was before the reading. */
  changedAt: bigint;
  sparse: boolean;
  /** What it held when it was last backed up; undefined for one that is new. */
  previous: Content | undefined;
  isNew: boolean;
}

export type SegmentOutcome = SegmentResult | { fault: SourceFault };

export interface BatchCounts {
  total: number;
  new: number;
  changed: number;
  unmodified: number;
  directories: number;
  other: number;
  /** Files that could not be read. */
  unreadable: number;
  sourceBytes: number;
  readBytes: number;
}

export function createTaskHandler(
  context: TaskContext,
  options: Readonly<Record<string, unknown>>,
): TaskHandler<BackupTask, BackupTaskResult> {
  const backup = new FileBackup(context, options as unknown as BackupTaskOptions);
  return {
    transferables(result) {
      if (result instanceof Uint8Array || !('entries' in result)) return [];
      return [result.entries.bytes.buffer as ArrayBuffer, result.entries.ends.buffer as ArrayBuffer];
    },
    handle(task) {
      switch (task.kind) {
        case 'batch':
          return backup.batch(task.paths, task.basePages);
        case 'segment':
          return backup.segment(task);
        case 'encode':
          return context.encodeEntry(task.entry);
      }
    },
  };
}

class FileBackup {
  readonly #context: TaskContext;
  readonly #largest: bigint;
  readonly #stop: StopFlag;
  readonly #names = new AccountNames();
  readonly #base: BaseEntries;
  readonly #reader: FileReader;

  constructor(context: TaskContext, { sizes, stop }: BackupTaskOptions) {
    this.#context = context;
    this.#largest = BigInt(sizes.small);
    this.#stop = new StopFlag(stop);
    this.#base = new BaseEntries(context);
    this.#reader = new FileReader(context, sizes, this.#stop);
  }

  async batch(paths: readonly ByteString[], basePages: readonly ContentSegment[]): Promise<BatchResult> {
    const batch = new Batch();
    const findBase = await this.#base.load(basePages, (warning) => batch.warnings.push(warning));
    for (const path of paths) {
      await this.#context.sink.ready();
      this.#stop.throwIfStopped();
      try {
        await this.#take(path, findBase(path), batch);
      } catch (error) {
        const fault = sourceFaultOf(error);
        if (fault === undefined) throw error;
        if (!hasVanished(fault)) batch.counts.unreadable++;
        batch.warnings.push(faultWarning(path, fault));
      }
    }
    return batch.result();
  }

  async segment(segment: FileSegment): Promise<SegmentOutcome> {
    this.#stop.throwIfStopped();
    try {
      return await this.#reader.segment(segment);
    } catch (error) {
      const fault = sourceFaultOf(error);
      if (fault === undefined) throw error;
      return { fault };
    }
  }

  async #take(path: ByteString, previous: BaseEntry | undefined, batch: Batch): Promise<void> {
    const absolute = terminated(`/${path}`);
    const status = fromSource(() => readStatus(absolute));
    const type = typeOf(status);
    if (
      previous !== undefined &&
      isUnchanged(previous.entry, status) &&
      (previous.entry.content === undefined || (await this.#isStored(previous.entry.content)))
    ) {
      batch.add(path, previous.encoded, type, 'unmodified', previous.entry.size ?? 0);
      return;
    }
    const entry = fromSource(() => toEntry(path, absolute, status, this.#names));
    // A change that follows within one tick of the clock leaves the times as they are: the next backup must look again.
    if (status.ctimeNs > batch.startedAt - TICK) entry.changedAt = 0n;
    const news = previous === undefined ? 'new' : 'changed';
    if (type !== 'file') {
      if (type === 'socket')
        batch.warnings.push(
          `${printable(path)} is a socket: it is listed in this backup, but a restore does not make it.`,
        );
      batch.add(path, this.#context.encodeEntry(entry), type, news, 0);
      return;
    }
    if (status.size > this.#largest) {
      batch.addLarge({
        entry,
        changedAt: status.ctimeNs,
        sparse: isSparse(status),
        previous: previous?.entry.content,
        isNew: news === 'new',
      });
      return;
    }
    const { content, size, readBytes, changed } = this.#reader.small(absolute, status);
    entry.content = content;
    entry.size = size;
    if (changed) {
      entry.changedAt = 0n;
      batch.warnings.push(changedWhileRead(path));
    }
    batch.counts.readBytes += readBytes;
    batch.add(path, this.#context.encodeEntry(entry), type, news, size);
  }

  /** A content whose list of chunks is damaged is as good as gone. */
  async #isStored(content: Content): Promise<boolean> {
    try {
      return await this.#context.isStored(content);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return false;
    }
  }
}

/** More than the grain of any kernel's clock; nanoseconds. */
const TICK = 50_000_000n;

/** Collects what one batch gives. */
class Batch {
  /** Nanoseconds since 1970. */
  readonly startedAt = BigInt(Date.now()) * 1_000_000n;
  readonly warnings: string[] = [];
  readonly counts: BatchCounts = {
    total: 0,
    new: 0,
    changed: 0,
    unmodified: 0,
    directories: 0,
    other: 0,
    unreadable: 0,
    sourceBytes: 0,
    readBytes: 0,
  };
  readonly #paths: ByteString[] = [];
  readonly #parts: Uint8Array[] = [];
  readonly #ends: number[] = [];
  readonly #large: LargeFile[] = [];
  #length = 0;

  add(
    path: ByteString,
    encoded: Uint8Array,
    type: string,
    news: 'new' | 'changed' | 'unmodified',
    bytes: number,
  ): void {
    this.#paths.push(path);
    this.#parts.push(encoded);
    this.#length += encoded.length;
    this.#ends.push(this.#length);
    this.counts.sourceBytes += bytes;
    if (type === 'directory') this.counts.directories++;
    else if (type !== 'file') this.counts.other++;
    else {
      this.counts.total++;
      this.counts[news]++;
    }
  }

  addLarge(file: Omit<LargeFile, 'position'>): void {
    this.#large.push({ position: this.#paths.length, ...file });
  }

  result(): BatchResult {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return {
      entries: { bytes, ends: Uint32Array.from(this.#ends), paths: this.#paths },
      large: this.#large,
      warnings: this.warnings,
      counts: this.counts,
    };
  }
}
