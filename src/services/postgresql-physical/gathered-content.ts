import type { SnapshotWriter } from '../../core/ports/repository.ts';
import type { ByteString, Content, ContentSegment } from '../../core/tree-entry.ts';
import { type StoredPart, unpacked } from './content-task.ts';
import { joinedCrc32c } from './crc32c.ts';

/** A file whose bytes are to come. */
export interface NewContent {
  path: ByteString;
  /** bytes */
  size: number;
  segmentBytes: number;
  /** Number of the file's first page in its relation, where pages are to be checked. */
  firstBlock?: number;
  /** Called when all of it is stored. @param stored what came of it */
  complete(content: Content, stored: StoredFile): Promise<void>;
  wrongBlocks(blocks: readonly number[]): void;
}

export interface StoredFile {
  /** bytes */
  size: number;
  /** CRC-32C */
  checksum: number;
}

/** What is stored of a file so far, whose parts come back in their order. */
export class GatheredContent {
  readonly file: NewContent;
  readonly #writer: SnapshotWriter;
  readonly #segments: ContentSegment[] = [];
  #inline: Uint8Array | undefined;
  #size = 0;
  #checksum = 0;
  #waiting = 0;
  #isClosed = false;

  constructor(file: NewContent, writer: SnapshotWriter) {
    this.file = file;
    this.#writer = writer;
  }

  /** Tells that one more part will come. */
  expect(): void {
    this.#waiting++;
  }

  /** @param length bytes of the part @param ready segments that are stored already and come in its place */
  async take(
    { content, checksum, wrongBlocks }: StoredPart,
    length: number,
    ready?: readonly ContentSegment[],
  ): Promise<void> {
    this.#checksum = joinedCrc32c(this.#checksum, checksum, length);
    this.#size += length;
    if (wrongBlocks.length > 0) this.file.wrongBlocks(wrongBlocks);
    if ('inline' in content) this.#inline = content.inline;
    else for (const segment of ready ?? unpacked(content)) this.#segments.push(segment);
    this.#waiting--;
    await this.#completeIfAll();
  }

  /** Tells that no more parts will be expected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#completeIfAll();
  }

  async #completeIfAll(): Promise<void> {
    if (!this.#isClosed || this.#waiting > 0) return;
    const inline = this.#segments.length === 0 ? (this.#inline ?? new Uint8Array()) : undefined;
    const content = inline === undefined ? await this.#listed() : { inline };
    await this.file.complete(content, { size: this.#size, checksum: this.#checksum });
  }

  #listed(): Promise<Content> | Content {
    return this.#segments.length > LONG_LIST
      ? this.#writer.storeSegments(this.#segments)
      : { segments: this.#segments };
  }
}

/** Segments beyond this many make the file's list a paged one. */
const LONG_LIST = 1000;
