import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { messageOf, systemErrorCode } from '../../core/errors.ts';
import type { EncodedEntries, TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { ByteString, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';
import { AccountNames } from './account-names.ts';
import { BaseEntries, type BaseEntry } from './base-entries.ts';
import { printable } from './byte-path.ts';
import { changedWhileRead } from './change-warning.ts';
import { type FileStatus, isUnchanged, readStatus, toEntry, typeOf, withoutTerminator } from './file-metadata.ts';
import { findBoundary, SEARCH_BYTES, SEGMENT_BYTES } from './segment-boundary.ts';
import { seekData, seekHole, terminated } from './system-calls.ts';

export type BackupTask =
  | { kind: 'batch'; paths: readonly ByteString[]; basePages: readonly ContentSegment[] }
  /** A part of a large file: from the true start of `start` to that of `end`. */
  | { kind: 'segment'; path: ByteString; start: number; end: number; size: number; sparse: boolean }
  | { kind: 'encode'; entry: TreeEntry };

export interface BatchResult {
  entries: EncodedEntries;
  /** Files to be read in segments; `position` is where their entry belongs among `entries`. */
  large: { position: number; entry: TreeEntry; sparse: boolean; isNew: boolean }[];
  warnings: string[];
  counts: BatchCounts;
}

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

export interface SegmentResult {
  segments: ContentSegment[];
  bytes: number;
  /** Bytes that were read; less than `bytes` where there are holes. */
  readBytes: number;
  /** As the file is after the reading. */
  status: { size: number; modifiedAt: bigint; changedAt: bigint };
}

export function createTaskHandler(
  context: TaskContext,
): TaskHandler<BackupTask, BatchResult | SegmentResult | Uint8Array> {
  const reader = new FileBackup(context);
  return {
    transferables(result) {
      if (result instanceof Uint8Array || !('entries' in result)) return [];
      return [result.entries.bytes.buffer as ArrayBuffer, result.entries.ends.buffer as ArrayBuffer];
    },
    handle(task) {
      switch (task.kind) {
        case 'batch':
          return reader.batch(task.paths, task.basePages);
        case 'segment':
          return reader.segment(task);
        case 'encode':
          return context.encodeEntry(task.entry);
      }
    },
  };
}

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Files up to this size are read in one call and cut in place. */
const SMALL = 1024 * 1024;

class FileBackup {
  readonly #context: TaskContext;
  readonly #names = new AccountNames();
  readonly #base: BaseEntries;
  readonly #scratch = Buffer.allocUnsafeSlow(SMALL + 1);

  constructor(context: TaskContext) {
    this.#context = context;
    this.#base = new BaseEntries(context);
  }

  async batch(paths: readonly ByteString[], basePages: readonly ContentSegment[]): Promise<BatchResult> {
    const findBase = await this.#base.load(basePages);
    const batch = new Batch();
    for (const path of paths) {
      try {
        await this.#take(path, findBase(path), batch);
      } catch (error) {
        const code = systemErrorCode(error);
        if (code === undefined) throw error;
        if (code === 'ENOSPC' || code === 'EDQUOT') throw error;
        if (code === 'ENOENT' || code === 'ENOTDIR')
          batch.warnings.push(`${printable(path)} vanished while it was being backed up; it is not in this backup.`);
        else {
          batch.counts.unreadable++;
          batch.warnings.push(`${printable(path)} could not be read and is not in this backup: ${messageOf(error)}`);
        }
      }
    }
    return batch.result();
  }

  async #take(path: ByteString, previous: BaseEntry | undefined, batch: Batch): Promise<void> {
    const absolute = terminated(`/${path}`);
    const status = readStatus(absolute);
    const type = typeOf(status);
    if (
      previous !== undefined &&
      isUnchanged(previous.entry, status) &&
      (previous.entry.content === undefined || (await this.#context.isStored(previous.entry.content)))
    ) {
      batch.add(path, previous.encoded, type, 'unmodified', previous.entry.size ?? 0);
      return;
    }
    const entry = toEntry(path, absolute, status, this.#names);
    const news = previous === undefined ? 'new' : 'changed';
    if (type !== 'file') {
      if (type === 'socket')
        batch.warnings.push(
          `${printable(path)} is a socket: it is listed in this backup, but a restore does not make it.`,
        );
      batch.add(path, this.#context.encodeEntry(entry), type, news, 0);
      return;
    }
    const sparse = status.blocks * 512n < status.size;
    if (status.size > BigInt(SMALL)) {
      batch.addLarge(entry, sparse, news === 'new');
      return;
    }
    const read = this.#readSmall(absolute, status, entry, sparse);
    if (read.changed) batch.warnings.push(changedWhileRead(path));
    batch.counts.readBytes += read.bytes;
    batch.add(path, this.#context.encodeEntry(entry), type, news, read.bytes);
  }

  #readSmall(
    absolute: Buffer,
    status: FileStatus,
    entry: TreeEntry,
    sparse: boolean,
  ): { bytes: number; changed: boolean } {
    const descriptor = openSync(withoutTerminator(absolute), OPEN_FLAGS);
    try {
      let length = 0;
      for (;;) {
        const read = readSync(
          descriptor,
          this.#scratch,
          length,
          Math.min(this.#scratch.length - length, Number(status.size) + 1),
          null,
        );
        length += read;
        if (read === 0 || length >= this.#scratch.length) break;
        if (length === Number(status.size)) break;
      }
      const after = fstatSync(descriptor, { bigint: true });
      const bytes = this.#scratch.subarray(0, length);
      if (sparse && isZero(bytes)) entry.content = { segments: length === 0 ? [] : [{ id: null, length }] };
      else if (length <= this.#context.inlineLimit) entry.content = { inline: Buffer.from(bytes) };
      else entry.content = { segments: this.#context.sink.store(bytes) };
      entry.size = length;
      const changed =
        after.ino !== status.ino ||
        after.size !== BigInt(length) ||
        after.mtimeNs !== status.mtimeNs ||
        after.ctimeNs !== status.ctimeNs;
      // A change during the reading must be seen as one by the next incremental, whatever the clock's grain.
      if (changed) entry.changedAt = 0n;
      return { bytes: length, changed };
    } finally {
      closeSync(descriptor);
    }
  }

  segment(task: Extract<BackupTask, { kind: 'segment' }>): SegmentResult {
    const descriptor = openSync(withoutTerminator(terminated(`/${task.path}`)), OPEN_FLAGS);
    const builder = this.#context.sink.beginContent();
    try {
      const start = this.#trueStart(descriptor, task.start, task.size);
      const end = this.#trueStart(descriptor, task.end, task.size);
      let position = start;
      let readBytes = 0;
      while (position < end) {
        const data = task.sparse ? (seekData(descriptor, position) ?? end) : position;
        if (data > position) {
          const hole = Math.min(data, end) - position;
          builder.hole(hole);
          position += hole;
          continue;
        }
        const until = task.sparse ? Math.min(end, seekHole(descriptor, position)) : end;
        const read = this.#readRun(descriptor, builder, position, until);
        readBytes += read;
        position += read;
        if (position < until) break;
      }
      const status = fstatSync(descriptor, { bigint: true });
      return {
        segments: builder.finish(),
        bytes: position - start,
        readBytes,
        status: { size: Number(status.size), modifiedAt: status.mtimeNs, changedAt: status.ctimeNs },
      };
    } catch (error) {
      builder.abandon();
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }

  #readRun(
    descriptor: number,
    builder: ReturnType<TaskContext['sink']['beginContent']>,
    from: number,
    until: number,
  ): number {
    let position = from;
    while (position < until) {
      const room = builder.room();
      const read = readSync(descriptor, room, 0, Math.min(room.length, until - position), position);
      if (read === 0) break;
      builder.advance(read);
      position += read;
    }
    return position - from;
  }

  /** The segment before and the one after a boundary find the same place, each by itself. */
  #trueStart(descriptor: number, nominal: number, size: number): number {
    if (nominal === 0 || nominal >= size) return Math.min(nominal, size);
    const step = this.#scratch.length;
    for (let searched = 0; searched < SEARCH_BYTES && nominal + searched < size; searched += step - OVERLAP) {
      const read = readSync(
        descriptor,
        this.#scratch,
        0,
        Math.min(step, size - nominal - searched, SEARCH_BYTES - searched),
        nominal + searched,
      );
      if (read === 0) break;
      const found = findBoundary(this.#scratch.subarray(0, read));
      if (found < read) return nominal + searched + found;
    }
    return Math.min(nominal + SEARCH_BYTES, size, nominal + SEGMENT_BYTES);
  }
}

/** Blocks of the search overlap by the warm-up of its hash. */
const OVERLAP = 64;

/** Collects what one batch gives. */
class Batch {
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
  readonly #large: BatchResult['large'] = [];
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

  addLarge(entry: TreeEntry, sparse: boolean, isNew: boolean): void {
    this.#large.push({ position: this.#paths.length, entry, sparse, isNew });
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

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}
