import type { SnapshotWriter, TaskRunner } from '../../core/ports/repository.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';
import type { Run } from './base-backup-stream.ts';
import type { ContentPart, ContentTask, ContentTaskResult, StoredPart } from './content-task.ts';
import { GatheredContent, type NewContent } from './gathered-content.ts';
import type { PageRules } from './wrong-blocks.ts';

interface Batch {
  buffer: Buffer;
  used: number;
  parts: ContentPart[];
  owners: PartOwner[];
}

interface Place {
  batch: Batch;
  part: ContentPart;
  /** bytes */
  room: number;
}

interface PartOwner {
  open: GatheredContent;
  part: ContentPart;
  /** Segments that are stored already and come at this place. */
  ready?: readonly ContentSegment[];
}

/**
 * Stores the contents of files that come one after the other: gathers them in batches, which worker threads cut at fixed places
 * and store. Memory is a few batches and the lists of segments of files that are under way.
 */
export class ContentStoring {
  readonly #writer: SnapshotWriter;
  readonly #runner: TaskRunner<ContentTask, ContentTaskResult>;
  readonly #pages: PageRules;
  readonly #free: Buffer[] = [];
  readonly #inFlight: { owners: readonly PartOwner[]; stored: Promise<StoredPart[]> }[] = [];
  #batch: Batch | undefined;
  #open: GatheredContent | undefined;
  /** Bytes of it that were put into batches. */
  #taken = 0;

  constructor(writer: SnapshotWriter, runner: TaskRunner<ContentTask, ContentTaskResult>, pages: PageRules) {
    this.#writer = writer;
    this.#runner = runner;
    this.#pages = pages;
  }

  /** Begins a file; the one before must have got all its bytes. */
  begin(file: NewContent): void {
    this.#open = new GatheredContent(file, this.#writer);
    this.#taken = 0;
  }

  async write(run: Run): Promise<void> {
    const open = this.#require();
    for (const bytes of run)
      for (let done = 0; done < bytes.length; ) {
        const { batch, part, room } = this.#place(open) ?? (await this.#nextPlace(open));
        const length = Math.min(room, bytes.length - done);
        // `set` goes word by word where memory is shared.
        copyBytes(bytes, done, length, batch.buffer, batch.used);
        batch.used += length;
        part.length += length;
        this.#taken += length;
        done += length;
      }
  }

  /** Adds segments that are stored already, at a place where a segment begins. */
  reuse(segments: readonly ContentSegment[]): void {
    const open = this.#require();
    this.#taken += sumOf(segments);
    // Its place among what is still being stored is kept by a part of its own.
    const batch = this.#currentBatch();
    const part = { offset: batch.used, length: 0, segmentBytes: open.file.segmentBytes, isWhole: false };
    batch.parts.push(part);
    batch.owners.push({ open, part, ready: segments });
    open.expect();
  }

  async end(): Promise<void> {
    const open = this.#require();
    this.#open = undefined;
    await open.close();
  }

  /** Stores what is left and waits for all of it. */
  async finish(): Promise<void> {
    this.#submit();
    while (this.#inFlight.length > 0) await this.#takeFirst();
  }

  /** Waits for the worker threads after a failure: they may still be reading the buffers. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#inFlight.map(({ stored }) => stored));
  }

  #require(): GatheredContent {
    if (this.#open === undefined) throw new Error('No file was begun.');
    return this.#open;
  }

  /** The part of the current batch that takes the open file's next bytes, and how many it can take; undefined where it is full. */
  #place(open: GatheredContent): Place | undefined {
    const { file } = open;
    const batch = this.#currentBatch();
    const owner = batch.owners.at(-1);
    const last = owner?.open === open && owner.ready === undefined ? batch.parts.at(-1) : undefined;
    const left = file.size - this.#taken;
    if (last !== undefined) {
      const room = this.#roomFor(file, batch.buffer.length - last.offset, left + last.length) - last.length;
      if (room > 0) return { batch, part: last, room };
    } else {
      const room = this.#roomFor(file, batch.buffer.length - batch.used, left);
      if (room > 0) return { batch, part: this.#addPart(batch, open), room };
    }
    return undefined;
  }

  /** One in the next batch, once that is free. */
  async #nextPlace(open: GatheredContent): Promise<Place> {
    this.#submit();
    while (this.#inFlight.length >= BATCHES_IN_FLIGHT) await this.#takeFirst();
    const batch = this.#currentBatch();
    const room = this.#roomFor(open.file, batch.buffer.length, open.file.size - this.#taken);
    return { batch, part: this.#addPart(batch, open), room };
  }

  /** A part that does not reach the file's end ends where a segment does. */
  #roomFor({ segmentBytes }: NewContent, room: number, left: number): number {
    return left <= room ? left : Math.floor(room / segmentBytes) * segmentBytes;
  }

  #addPart(batch: Batch, open: GatheredContent): ContentPart {
    const { firstBlock, segmentBytes, size } = open.file;
    // Pages are looked at as words.
    batch.used = Math.ceil(batch.used / WORD_BYTES) * WORD_BYTES;
    const room = batch.buffer.length - batch.used;
    const part: ContentPart = {
      offset: batch.used,
      length: 0,
      segmentBytes,
      isWhole: this.#taken === 0 && size <= room,
      ...(firstBlock === undefined ? {} : { firstBlock: firstBlock + this.#taken / this.#pages.pageBytes }),
    };
    batch.parts.push(part);
    batch.owners.push({ open, part });
    open.expect();
    return part;
  }

  #currentBatch(): Batch {
    const buffer = this.#batch?.buffer ?? this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(BATCH_BYTES));
    this.#batch ??= { buffer, used: 0, parts: [], owners: [] };
    return this.#batch;
  }

  #submit(): void {
    const batch = this.#batch;
    if (batch === undefined || batch.parts.length === 0) return;
    this.#batch = undefined;
    const { buffer, used, parts, owners } = batch;
    const task: ContentTask = { kind: 'store', bytes: buffer.subarray(0, used), parts, pages: this.#pages };
    const stored = this.#runner.run(task) as Promise<StoredPart[]>;
    // It is awaited when its turn comes.
    stored.then(
      () => this.#free.push(buffer),
      () => undefined,
    );
    this.#inFlight.push({ owners, stored });
  }

  async #takeFirst(): Promise<void> {
    const first = this.#inFlight[0];
    if (first === undefined) return;
    const parts = await first.stored;
    this.#inFlight.shift();
    for (const [index, stored] of parts.entries()) {
      const { open, part, ready } = first.owners[index] as PartOwner;
      await open.take(stored, ready === undefined ? part.length : sumOf(ready), ready);
    }
  }
}

function sumOf(segments: readonly ContentSegment[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

function copyBytes(from: Uint8Array, begin: number, length: number, to: Buffer, at: number): void {
  Buffer.from(from.buffer, from.byteOffset + begin, length).copy(to, at);
}

const BATCH_BYTES = 2 * 1024 * 1024;
const BATCHES_IN_FLIGHT = 4;
const WORD_BYTES = 4;
