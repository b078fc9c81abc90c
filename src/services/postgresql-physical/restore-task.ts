import { closeSync, constants, fchmodSync, fchownSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import type { TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { Content } from '../../core/tree-entry.ts';
import { DirectFile } from '../../process/direct-file.ts';

export interface FileOwner {
  uid: number;
  gid: number;
}

export type RestoreTask =
  /** Whole files, which are not there yet. */
  | { kind: 'files'; files: readonly RestoredFile[]; owner: FileOwner | null }
  /** A part of a large file that was begun. */
  | { kind: 'ranges'; place: string; chunks: readonly FileChunk[] }
  /** Makes files and folders durable. */
  | { kind: 'sync'; places: readonly string[] };

export interface RestoredFile {
  /** Absolute, bytes as latin1. */
  place: string;
  /** bytes */
  size: number;
  mode: number;
  content: Content;
}

/** A chunk of a file; its tag is its offset in it. */
export interface FileChunk {
  id: Uint8Array;
  tag: number;
  length: number;
}

/** Runs in the worker threads: reads, verifies and writes by itself. @returns bytes written */
export function createTaskHandler(context: TaskContext): TaskHandler<RestoreTask, number> {
  return {
    handle(task) {
      switch (task.kind) {
        case 'files':
          return writeFiles(context, task.files, task.owner);
        case 'ranges':
          return writeRanges(context, task.place, task.chunks);
        case 'sync':
          for (const place of task.places) sync(place);
          return 0;
      }
    },
  };
}

/** @returns an open file of its final size */
export function beginFile({ place, size, mode }: Omit<RestoredFile, 'content'>, owner: FileOwner | null): number {
  return naming(place, () => {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const descriptor = openSync(bytesOf(place), flags, 0o600);
    try {
      if (owner !== null) fchownSync(descriptor, owner.uid, owner.gid);
      // The umask does not apply.
      fchmodSync(descriptor, mode);
      ftruncateSync(descriptor, size);
      return descriptor;
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  });
}

async function writeFiles(
  context: TaskContext,
  files: readonly RestoredFile[],
  owner: FileOwner | null,
): Promise<number> {
  const opened: number[] = [];
  const parts: { descriptor: number; place: string; offset: number; length: number }[] = [];
  const wanted: { id: Uint8Array; tag: number }[] = [];
  let written = 0;
  try {
    for (const file of files) {
      const descriptor = beginFile(file, owner);
      opened.push(descriptor);
      const { content, place } = file;
      let offset = 0;
      if ('inline' in content) {
        writeAll(descriptor, place, content.inline, 0);
        offset = content.inline.length;
      } else
        for await (const { id, length } of context.segments(content)) {
          if (id !== null) {
            wanted.push({ id, tag: parts.length });
            parts.push({ descriptor, place, offset, length });
          }
          offset += length;
        }
      if (offset !== file.size) throw sizeDiffers(place);
      written += offset;
    }
    const runs = new WriteRuns();
    await context.readDespiteDamage(
      wanted,
      (tag, bytes) => {
        const part = parts[tag];
        if (part === undefined || bytes.length !== part.length) throw sizeDiffers(part?.place ?? 'A file');
        runs.write(part.descriptor, part.place, bytes, part.offset);
      },
      (tag, reason) => {
        throw lost(parts[tag]?.place ?? 'A file', reason);
      },
    );
    runs.finish();
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
  return written;
}

async function writeRanges(context: TaskContext, place: string, chunks: readonly FileChunk[]): Promise<number> {
  const file = naming(place, () => DirectFile.open(bytesOf(place)));
  let written = 0;
  try {
    await context.readDespiteDamage(
      chunks,
      (offset, bytes) => {
        naming(place, () => file.write(bytes, offset));
        written += bytes.length;
      },
      (_offset, reason) => {
        throw lost(place, reason);
      },
    );
    await file.finish().catch((error: unknown) =>
      naming(place, () => {
        throw error;
      }),
    );
  } finally {
    await file.close();
  }
  return written;
}

/** Writes bytes that follow each other in a file together: a page is small for a write of its own. */
class WriteRuns {
  readonly #gathered = Buffer.allocUnsafeSlow(512 * 1024);
  #descriptor = -1;
  #place = '';
  #offset = 0;
  #length = 0;

  write(descriptor: number, place: string, bytes: Uint8Array, offset: number): void {
    const follows = descriptor === this.#descriptor && offset === this.#offset + this.#length;
    if (!follows || this.#length + bytes.length > this.#gathered.length) {
      this.finish();
      this.#descriptor = descriptor;
      this.#place = place;
      this.#offset = offset;
    }
    if (bytes.length > this.#gathered.length) writeAll(descriptor, place, bytes, offset);
    else {
      this.#gathered.set(bytes, this.#length);
      this.#length += bytes.length;
    }
  }

  finish(): void {
    const length = this.#length;
    this.#length = 0;
    if (length > 0) writeAll(this.#descriptor, this.#place, this.#gathered.subarray(0, length), this.#offset);
    this.#descriptor = -1;
  }
}

function writeAll(descriptor: number, place: string, bytes: Uint8Array, offset: number): void {
  naming(place, () => {
    for (let done = 0; done < bytes.length; )
      done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  });
}

function sync(place: string): void {
  naming(place, () => {
    const descriptor = openSync(bytesOf(place), constants.O_RDONLY);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** @throws HoldfastError `target-space-short`, `restore-write-failed` (unavailable) naming the file */
export function naming<Result>(place: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    const code = systemErrorCode(cause);
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    const advice = isFull ? 'Its disk is full: make room' : 'Look at its folder and permissions';
    throw new HoldfastError(
      'unavailable',
      isFull ? 'target-space-short' : 'restore-write-failed',
      `${nameOf(place)} could not be written (${messageOf(cause)}). ${advice}, and restore again; what was written so far is removed.`,
      { cause },
    );
  }
}

export function bytesOf(place: string): Buffer {
  return Buffer.from(place, 'latin1');
}

export function nameOf(place: string): string {
  return bytesOf(place).toString();
}

function sizeDiffers(place: string): HoldfastError {
  const message = `${nameOf(place)} is not as long in the repository as its entry says. Restore another backup, and check the repository.`;
  return new HoldfastError('damaged', 'content-differs', message);
}

function lost(place: string, reason: HoldfastError): HoldfastError {
  const message = `${nameOf(place)} cannot be restored: ${reason.message}`;
  return new HoldfastError(reason.kind, reason.code, message, { cause: reason, details: reason.details });
}
