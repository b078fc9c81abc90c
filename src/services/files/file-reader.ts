import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isUnreadable } from '../../core/earlier-content.ts';
import { CHUNK_TAIL, type ContentBuilder, type TaskContext } from '../../core/ports/repository.ts';
import type { ByteString, Content, ContentSegment } from '../../core/tree-entry.ts';
import { type FileStatus, withoutTerminator } from './file-metadata.ts';
import { findBoundary, isBoundary, WARM_UP } from './segment-boundary.ts';
import type { FilesSizes } from './sizes.ts';
import { fromSource } from './source-fault.ts';
import type { StopFlag } from './stop-flag.ts';
import { seekData, seekHole, terminated } from './system-calls.ts';

/** A part of a large file: from the true start of `start` to that of `end`. */
export interface FileSegment {
  path: ByteString;
  start: number;
  end: number;
  size: number;
  sparse: boolean;
  /** What the file held when it was last backed up. */
  previous?: Content;
}

export interface SegmentResult {
  segments: ContentSegment[];
  /** Where they begin in the file. */
  from: number;
  bytes: number;
  /** Bytes that were read; less than `bytes` where there are holes. */
  readBytes: number;
  /** As the file is after the reading. */
  status: { size: number; modifiedAt: bigint; changedAt: bigint };
}

export interface SmallFile {
  content: Content;
  size: number;
  readBytes: number;
  /** Something wrote to the file meanwhile. */
  changed: boolean;
}

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

interface Run {
  offset: number;
  length: number;
}

/** Reads contents of files into the repository, in one worker thread. Errors of the files are thrown as `fromSource` does. */
export class FileReader {
  readonly #context: TaskContext;
  readonly #sizes: FilesSizes;
  readonly #stop: StopFlag;
  readonly #scratch: Buffer;
  readonly #tail = Buffer.alloc(CHUNK_TAIL);

  constructor(context: TaskContext, sizes: FilesSizes, stop: StopFlag) {
    this.#context = context;
    this.#sizes = sizes;
    this.#stop = stop;
    this.#scratch = Buffer.allocUnsafeSlow(sizes.small + 1);
  }

  /** @param path absolute, zero-terminated */
  small(path: Buffer, status: FileStatus): SmallFile {
    const descriptor = fromSource(() => openSync(withoutTerminator(path), OPEN_FLAGS));
    let runs: Run[] | undefined;
    let size: number;
    let after: BigIntStats;
    try {
      runs = isSparse(status) ? fromSource(() => this.#readRuns(descriptor, Number(status.size))) : undefined;
      size =
        runs === undefined ? fromSource(() => this.#readWhole(descriptor, Number(status.size))) : Number(status.size);
      after = fromSource(() => fstatSync(descriptor, { bigint: true }));
    } finally {
      closeSync(descriptor);
    }
    return {
      content: runs === undefined ? this.#store(size) : { segments: this.#storeRuns(runs, size) },
      size,
      readBytes: runs === undefined ? size : runs.reduce((sum, { length }) => sum + length, 0),
      changed:
        after.ino !== status.ino ||
        after.size !== BigInt(size) ||
        after.mtimeNs !== status.mtimeNs ||
        after.ctimeNs !== status.ctimeNs,
    };
  }

  async segment({ path, start, end, size, sparse, previous }: FileSegment): Promise<SegmentResult> {
    const descriptor = fromSource(() => openSync(withoutTerminator(terminated(`/${path}`)), OPEN_FLAGS));
    let builder: ContentBuilder | undefined;
    try {
      const earlier = await this.#earlier(previous, start, end);
      const file = { descriptor, size, sparse, earlier };
      const from = fromSource(() => this.#trueStart(file, start));
      const until = fromSource(() => this.#trueStart(file, end));
      builder = this.#context.sink.beginContent(earlier && { segments: earlier, offset: -from });
      let position = from;
      let readBytes = 0;
      while (position < until) {
        const data = sparse ? Math.min(until, fromSource(() => seekData(descriptor, position)) ?? until) : position;
        if (data > position) {
          builder.hole(data - position);
          position = data;
          continue;
        }
        const hole = sparse ? Math.min(until, fromSource(() => seekHole(descriptor, position)) ?? until) : until;
        const read = await this.#readInto(builder, descriptor, position, hole);
        readBytes += read;
        position += read;
        // The file is shorter than it was.
        if (position < hole) break;
      }
      const status = fromSource(() => fstatSync(descriptor, { bigint: true }));
      return {
        segments: builder.finish(),
        from,
        bytes: position - from,
        readBytes,
        status: { size: Number(status.size), modifiedAt: status.mtimeNs, changedAt: status.ctimeNs },
      };
    } catch (error) {
      builder?.abandon();
      throw error;
    } finally {
      closeSync(descriptor);
    }
  }

  /** What lies there in the previous content, and what may have been moved there from near by; the rest as if it were holes. */
  async #earlier(previous: Content | undefined, start: number, end: number): Promise<ContentSegment[] | undefined> {
    if (previous === undefined) return undefined;
    const reach = this.#sizes.segment;
    const within = { offset: start - reach, length: end - start + 2 * reach };
    const segments: ContentSegment[] = [];
    try {
      for await (const segment of this.#context.segments(previous, { despiteDamage: true, within }))
        segments.push(segment);
    } catch (error) {
      // Nothing is known then of what the file held.
      if (!isUnreadable(error)) throw error;
      return undefined;
    }
    return segments;
  }

  /** Fills the scratch buffer from a file's start, also where the file has grown since. @returns bytes read */
  #readWhole(descriptor: number, size: number): number {
    let length = 0;
    for (;;) {
      // Room for one byte more tells in one call that an empty or a grown file is not as long as it seemed.
      const room = length === 0 ? size + 1 : this.#scratch.length - length;
      const read = readSync(descriptor, this.#scratch, length, room, null);
      length += read;
      if (read === 0 || length === size || length === this.#scratch.length) return length;
    }
  }

  /** Reads what is no hole, each run to its place. @returns undefined where there are no holes (compressed files) */
  #readRuns(descriptor: number, size: number): Run[] | undefined {
    const runs: Run[] = [];
    for (let position = 0; position < size; ) {
      const offset = Math.min(size, seekData(descriptor, position) ?? size);
      const end = Math.min(size, seekHole(descriptor, offset) ?? size);
      if (offset === 0 && end === size) return undefined;
      if (end > offset) runs.push({ offset, length: this.#readRun(descriptor, offset, end) });
      position = end;
    }
    return runs;
  }

  /** What a file that shrinks meanwhile lacks is zeros. */
  #readRun(descriptor: number, offset: number, end: number): number {
    let position = offset;
    while (position < end) {
      const read = readSync(descriptor, this.#scratch, position, end - position, position);
      if (read === 0) break;
      position += read;
    }
    this.#scratch.fill(0, position, end);
    return end - offset;
  }

  #store(size: number): Content {
    const bytes = this.#scratch.subarray(0, size);
    if (size <= this.#context.inlineLimit) return { inline: Buffer.from(bytes) };
    return { segments: this.#context.sink.store(bytes) };
  }

  #storeRuns(runs: readonly Run[], size: number): ContentSegment[] {
    const segments: ContentSegment[] = [];
    let position = 0;
    for (const { offset, length } of [...runs, { offset: size, length: 0 }]) {
      if (offset > position) segments.push({ id: null, length: offset - position });
      segments.push(...this.#context.sink.store(this.#scratch.subarray(offset, offset + length)));
      position = offset + length;
    }
    return segments;
  }

  async #readInto(builder: ContentBuilder, descriptor: number, from: number, until: number): Promise<number> {
    let position = from;
    while (position < until) {
      await this.#context.sink.ready();
      this.#stop.throwIfStopped();
      const room = builder.room();
      const read = fromSource(() => readSync(descriptor, room, 0, Math.min(room.length, until - position), position));
      if (read === 0) break;
      builder.advance(read);
      position += read;
    }
    return position - from;
  }

  /**
   * The segment before and the one after a boundary find the same place, each by itself. Where bytes were inserted in front, the
   * first place after the nominal start is another one than it was: the one where a chunk of the previous content begins is taken.
   */
  #trueStart(file: OpenFile, nominal: number): number {
    const { descriptor, size, sparse, earlier } = file;
    if (nominal === 0 || nominal >= size) return Math.min(nominal, size);
    // Within a hole any place will do, and there is nothing to look for.
    if (sparse && seekData(descriptor, nominal) !== nominal) return nominal;
    const end = Math.min(size, nominal + this.#sizes.search);
    const known = this.#startAsBefore(file, nominal, end);
    if (known !== undefined) return known;
    const lengths = new Set(
      chunksFrom(earlier ?? [], nominal, nominal + this.#sizes.search + 1).map(({ length }) => length),
    );
    let first: number | undefined;
    let places = 0;
    for (const boundary of this.#boundaries(descriptor, nominal, end)) {
      if (lengths.size === 0 || this.#mayBegin(descriptor, boundary, lengths)) return boundary;
      first ??= boundary;
      if (++places === MOST_PLACES) break;
    }
    return first ?? end;
  }

  /** Where the segment of the previous content began, if it is a boundary still: as it was, or moved by what the file has more or less now. */
  #startAsBefore({ descriptor, size, earlier = [] }: OpenFile, nominal: number, end: number): number | undefined {
    const moved = size - earlier.reduce((sum, { length }) => sum + length, 0);
    for (const shift of moved === 0 ? [0] : [0, moved]) {
      // Further away, the segment before this place and the one after it know different parts of the previous content.
      if (Math.abs(shift) > this.#sizes.segment - this.#sizes.search) continue;
      for (const { offset, length } of chunksFrom(earlier, nominal - shift, end - shift)) {
        const start = offset + shift;
        if (this.#isBoundary(descriptor, start) && this.#mayBegin(descriptor, start, [length])) return start;
      }
    }
    return undefined;
  }

  #isBoundary(descriptor: number, position: number): boolean {
    const before = this.#scratch.subarray(0, WARM_UP);
    const from = position - before.length;
    return from >= 0 && readSync(descriptor, before, 0, before.length, from) === before.length && isBoundary(before);
  }

  *#boundaries(descriptor: number, start: number, end: number): Generator<number> {
    for (let position = start; position < end; position += this.#scratch.length - OVERLAP) {
      const wanted = Math.min(this.#scratch.length, end - position);
      const read = readSync(descriptor, this.#scratch, 0, wanted, position);
      const block = this.#scratch.subarray(0, read);
      for (let at = findBoundary(block); at < read; at += findBoundary(block.subarray(at - WARM_UP)) - WARM_UP)
        yield position + at;
      if (read < this.#scratch.length) break;
    }
  }

  /** Whether a chunk of one of these lengths may be what begins there. By chance that holds for one place of some ten thousand. */
  #mayBegin(descriptor: number, start: number, lengths: Iterable<number>): boolean {
    const { sink } = this.#context;
    for (const length of lengths) {
      const position = start + length - this.#tail.length;
      if (position < start || readSync(descriptor, this.#tail, 0, this.#tail.length, position) < this.#tail.length)
        continue;
      if (sink.mayEnd(this.#tail, length)) return true;
    }
    return false;
  }
}

/** A large file that is being read. */
interface OpenFile {
  descriptor: number;
  size: number;
  sparse: boolean;
  /** Of the previous content, from its beginning on. */
  earlier: readonly ContentSegment[] | undefined;
}

/** The chunks that begin from `from` on, before `until`. */
function chunksFrom(segments: readonly ContentSegment[], from: number, until: number): Run[] {
  const chunks: Run[] = [];
  let offset = 0;
  for (const { id, length } of segments) {
    if (id !== null && offset >= from && offset < until) chunks.push({ offset, length });
    offset += length;
  }
  return chunks;
}

/** Of which the first 8 MiB of a segment have eight on average. Content that repeats itself may have one at every other byte. */
const MOST_PLACES = 100;
/** The last byte of a block, and what is needed to come to its hash, are looked at again in the next one. */
const OVERLAP = WARM_UP + 1;

export function isSparse(status: FileStatus): boolean {
  return status.blocks * 512n < status.size;
}
