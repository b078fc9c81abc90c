import type { FileHandle } from 'node:fs/promises';
import type { SnapshotWriter, TaskRunner } from '../../core/ports/repository.ts';
import type { ContentTask, ContentTaskResult, StoredFilePart } from './content-task.ts';
import { type FilePart, LONGEST_PART } from './file-parts.ts';
import { GatheredContent, type NewContent } from './gathered-content.ts';
import type { PageRules } from './wrong-blocks.ts';

/** An open file of this machine, to be stored. */
export interface OpenFile extends NewContent {
  handle: FileHandle;
}

interface Owner {
  content: GatheredContent;
  /** What to close after this part. */
  last?: FileHandle;
}

/**
 * Stores files that worker threads read themselves, several at once: parts of large files and groups of small ones. Files that are given are
 * closed when they are stored, or by `settle`.
 */
export class FileReading {
  readonly #writer: SnapshotWriter;
  readonly #runner: TaskRunner<ContentTask, ContentTaskResult>;
  readonly #pages: PageRules;
  readonly #open = new Set<FileHandle>();
  readonly #inFlight: { owners: readonly Owner[]; stored: Promise<StoredFilePart[]> }[] = [];
  #parts: FilePart[] = [];
  #owners: Owner[] = [];
  #bytes = 0;

  constructor(writer: SnapshotWriter, runner: TaskRunner<ContentTask, ContentTaskResult>, pages: PageRules) {
    this.#writer = writer;
    this.#runner = runner;
    this.#pages = pages;
  }

  async add({ handle, ...file }: OpenFile): Promise<void> {
    this.#open.add(handle);
    const content = new GatheredContent(file, this.#writer);
    const isWhole = file.size <= LONGEST_PART;
    const parts = Math.max(1, Math.ceil(file.size / LONGEST_PART));
    for (let part = 0; part < parts; part++) content.expect();
    await content.close();
    for (let part = 0, from = 0; part < parts; part++, from += LONGEST_PART) {
      const length = Math.min(LONGEST_PART, file.size - from);
      await this.#makeRoomFor(length);
      this.#parts.push({
        ...{ path: file.path, descriptor: handle.fd, from, length, segmentBytes: file.segmentBytes, isWhole },
        ...(file.firstBlock === undefined ? {} : { firstBlock: file.firstBlock + from / this.#pages.pageBytes }),
      });
      this.#owners.push({ content, ...(part === parts - 1 ? { last: handle } : {}) });
      this.#bytes += length;
    }
  }

  /** Waits until all is stored. */
  async finish(): Promise<void> {
    this.#submit();
    while (this.#inFlight.length > 0) await this.#takeFirst();
  }

  /** After a failure: waits for the worker threads, which may still be reading, and closes what is open. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#inFlight.map(({ stored }) => stored));
    await Promise.allSettled([...this.#open].map((handle) => handle.close()));
    this.#open.clear();
  }

  async #makeRoomFor(length: number): Promise<void> {
    if (this.#bytes + length <= LONGEST_PART && this.#parts.length < MOST_PARTS) return;
    this.#submit();
    while (this.#inFlight.length > this.#writer.concurrency * 2) await this.#takeFirst();
  }

  #submit(): void {
    if (this.#parts.length === 0) return;
    const stored = this.#runner.run({ kind: 'read', parts: this.#parts, pages: this.#pages });
    // It is awaited when its turn comes.
    stored.catch(() => undefined);
    this.#inFlight.push({ owners: this.#owners, stored: stored as Promise<StoredFilePart[]> });
    this.#parts = [];
    this.#owners = [];
    this.#bytes = 0;
  }

  async #takeFirst(): Promise<void> {
    const first = this.#inFlight[0];
    if (first === undefined) return;
    const parts = await first.stored;
    this.#inFlight.shift();
    for (const [index, stored] of parts.entries()) {
      const { content, last } = first.owners[index] as Owner;
      await content.take(stored, stored.length);
      if (last === undefined) continue;
      this.#open.delete(last);
      await last.close();
    }
  }
}

/** Of small files, which stay open meanwhile. */
const MOST_PARTS = 16;
