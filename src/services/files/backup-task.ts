import { isUnreadable } from '../../core/earlier-content.ts';
import type { EncodedEntries, TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { ByteString, Content, ContentSegment, EntryType, TreeEntry } from '../../core/tree-entry.ts';
import { AccountNames } from './account-names.ts';
import { BaseEntries, type BaseEntry } from './base-entries.ts';
import { printable } from './byte-path.ts';
import { type FileStatus, isUnchanged, readStatus, toEntry, typeOf } from './file-metadata.ts';
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
  entries: BatchEntries;
  large: LargeFile[];
  warnings: string[];
  counts: BatchCounts;
}

/** As `EncodedEntries`; the paths are those at these positions of the batch, which its sender has. */
export interface BatchEntries extends Omit<EncodedEntries, 'paths'> {
  positions: Uint32Array;
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
      const { bytes, ends, positions } = result.entries;
      return [bytes, ends, positions].map(({ buffer }) => buffer as ArrayBuffer);
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
    let askedAt = 0;
    for (const [position, path] of paths.entries()) {
      this.#stop.throwIfStopped();
      if (batch.counts.readBytes - askedAt > READ_WITHOUT_ASKING) {
        await this.#context.sink.ready();
        askedAt = batch.counts.readBytes;
      }
      try {
        const file = this.#look(path, position, findBase(path));
        const isAsItWas = this.#isAsItWas(file);
        if (isAsItWas === true || (await isAsItWas)) batch.addUnchanged(file);
        else this.#take(file, batch);
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

  #look(path: ByteString, position: number, previous: BaseEntry | undefined): FoundFile {
    const absolute = terminated(`/${path}`);
    const status = fromSource(() => readStatus(absolute));
    return { path, position, absolute, status, type: typeOf(status), previous };
  }

  /** Whether the entry of the previous backup can be taken over. */
  #isAsItWas({ status, previous }: FoundFile): boolean | Promise<boolean> {
    if (previous === undefined || !isUnchanged(previous.entry, status)) return false;
    const { content } = previous.entry;
    if (content === undefined) return true;
    const isStored = this.#context.isStored(content);
    return typeof isStored === 'boolean' ? isStored : isStored.catch(falseIfDamaged);
  }

  #take(file: FoundFile, batch: Batch): void {
    const { path, absolute, status, type, previous } = file;
    const entry = fromSource(() => toEntry(path, absolute, status, this.#names));
    // A change that follows within one tick of the clock leaves the times as they are: the next backup must look again.
    if (status.ctimeNs > batch.startedAt - TICK) entry.changedAt = 0n;
    const news = previous === undefined ? 'new' : 'changed';
    if (type !== 'file') {
      if (type === 'socket')
        batch.warnings.push(
          `${printable(path)} is a socket: it is listed in this backup, but a restore does not make it.`,
        );
      batch.add(file, this.#context.encodeEntry(entry), news, 0);
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
    batch.add(file, this.#context.encodeEntry(entry), news, size);
  }
}

/** A path of a batch, as it is now. */
interface FoundFile {
  path: ByteString;
  /** In the batch. */
  position: number;
  /** Zero-terminated. */
  absolute: Buffer;
  status: FileStatus;
  type: EntryType;
  previous: BaseEntry | undefined;
}

/** A content whose list of chunks is damaged is as good as gone. */
function falseIfDamaged(error: unknown): boolean {
  if (!isUnreadable(error)) throw error;
  return false;
}

/** Bytes. */
const READ_WITHOUT_ASKING = 256 * 1024;
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
  readonly #positions: number[] = [];
  readonly #parts: Uint8Array[] = [];
  readonly #ends: number[] = [];
  readonly #large: LargeFile[] = [];
  #length = 0;

  addUnchanged(file: FoundFile): void {
    const { entry, encoded } = file.previous as BaseEntry;
    this.add(file, encoded, 'unmodified', entry.size ?? 0);
  }

  add({ position, type }: FoundFile, encoded: Uint8Array, news: 'new' | 'changed' | 'unmodified', bytes: number): void {
    this.#positions.push(position);
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
    this.#large.push({ position: this.#positions.length, ...file });
  }

  result(): BatchResult {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return {
      entries: { bytes, ends: Uint32Array.from(this.#ends), positions: Uint32Array.from(this.#positions) },
      large: this.#large,
      warnings: this.warnings,
      counts: this.counts,
    };
  }
}
