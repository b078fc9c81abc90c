import { readSync } from 'node:fs';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { findWrongBlocks, type PageRules } from './wrong-blocks.ts';

/** A run of bytes of a file that this process has open. */
export interface FilePart {
  path: ByteString;
  descriptor: number;
  /** Where it begins, bytes. */
  from: number;
  /** At most `LONGEST_PART`. */
  length: number;
  segmentBytes: number;
  /** The whole file as it was seen, which may be shorter by now; what is missing of a part of a larger one is zeros, as the server fills it. */
  isWhole: boolean;
  /** Number of the first page in its relation, where pages are to be checked. */
  firstBlock?: number;
}

export interface ReadPart {
  /** Valid until the next part is read. */
  bytes: Buffer;
  wrongBlocks: readonly number[];
}

/** bytes */
export const LONGEST_PART = 2 * 1024 * 1024;

/** Reads parts of a running server's files, in a worker thread. */
export class FileParts {
  #memory: Buffer | undefined;
  readonly #never = new Int32Array(new SharedArrayBuffer(4));

  /**
   * A page that the server writes at this moment may come with some of its old bytes and some new ones; it is read again until it is
   * whole (the server does so too when it sends a base backup).
   *
   * @throws HoldfastError `postgresql-file-unreadable` (unavailable) naming the file
   */
  read(part: FilePart, rules: PageRules): ReadPart {
    try {
      return this.#whole(part, rules);
    } catch (error) {
      throw unreadable(part, error);
    }
  }

  #whole(part: FilePart, rules: PageRules): ReadPart {
    const bytes = this.#bytesOf(part);
    if (part.firstBlock === undefined) return { bytes, wrongBlocks: [] };
    let wrongBlocks = findWrongBlocks(bytes, part.firstBlock, rules);
    for (let again = 0; wrongBlocks.length > 0 && again < MOST_AGAIN; again++) {
      Atomics.wait(this.#never, 0, 0, PAUSE_MILLISECONDS);
      for (const block of wrongBlocks)
        readPage(part, bytes, (block - part.firstBlock) * rules.pageBytes, rules.pageBytes);
      wrongBlocks = findWrongBlocks(bytes, part.firstBlock, rules);
    }
    return { bytes, wrongBlocks };
  }

  #bytesOf(part: FilePart): Buffer {
    this.#memory ??= Buffer.allocUnsafeSlow(LONGEST_PART);
    const filled = readFully(part.descriptor, this.#memory.subarray(0, part.length), part.from);
    if (part.isWhole) return this.#memory.subarray(0, filled);
    return this.#memory.subarray(0, part.length).fill(0, filled);
  }
}

const MOST_AGAIN = 10;
const PAUSE_MILLISECONDS = 10;

function readPage({ descriptor, from }: FilePart, bytes: Buffer, at: number, pageBytes: number): void {
  const page = bytes.subarray(at, at + pageBytes);
  // One that was cut off meanwhile is not there any more: WAL says so too.
  page.fill(0, readFully(descriptor, page, from + at));
}

/** @returns how many bytes there were */
function readFully(descriptor: number, memory: Buffer, from: number): number {
  let filled = 0;
  while (filled < memory.length) {
    const read = readSync(descriptor, memory, filled, memory.length - filled, from + filled);
    if (read === 0) break;
    filled += read;
  }
  return filled;
}

function unreadable({ path, from }: FilePart, cause: unknown): HoldfastError {
  const name = Buffer.from(path, 'latin1').toString();
  const message = `${name} of the data folder cannot be read from byte ${from} on: ${messageOf(cause)}. Nothing was backed up, so that earlier good backups stay the latest. Look at the disk and at the server's log.`;
  return new HoldfastError('unavailable', 'postgresql-file-unreadable', message, { cause, details: { path: name } });
}
