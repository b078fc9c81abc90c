import type { EncodedEntries, TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { ContentSegment, TreeEntry } from '../../core/tree-entry.ts';
import { crc32c } from './crc32c.ts';
import { type FilePart, FileParts, type ReadPart } from './file-parts.ts';
import { findWrongBlocks, type PageRules } from './wrong-blocks.ts';

export type ContentTask =
  | { kind: 'store'; bytes: Uint8Array; parts: readonly ContentPart[]; pages: PageRules }
  | { kind: 'read'; parts: readonly FilePart[]; pages: PageRules }
  | { kind: 'find'; segments: readonly ContentSegment[] }
  | { kind: 'encode'; entries: readonly TreeEntry[] };

/** A run of one file's bytes in a batch. */
export interface ContentPart {
  offset: number;
  length: number;
  segmentBytes: number;
  /** The whole file, which may then be small enough to lie in its entry. */
  isWhole: boolean;
  /** Number of the first page in its relation, where pages are to be checked. */
  firstBlock?: number;
}

export interface StoredPart {
  content: { inline: Uint8Array } | PackedSegments;
  /** CRC-32C of the part. */
  checksum: number;
  /** Numbers of pages whose checksum is wrong, the first few. */
  wrongBlocks: readonly number[];
}

/** Segments on their way between threads: thousands of small arrays would take longer and more memory. */
export interface PackedSegments {
  /** All ids, one after the other. */
  ids: Uint8Array;
  lengths: Uint32Array;
}

/** What is stored of a part of a file, and how many bytes that is. */
export type StoredFilePart = StoredPart & { length: number };

export type ContentTaskResult = StoredPart[] | StoredFilePart[] | boolean | EncodedEntries;

/** Runs in the worker threads: cuts at fixed places, so that a changed page makes one new chunk, and checks pages. */
export function createTaskHandler(context: TaskContext): TaskHandler<ContentTask, ContentTaskResult> {
  const files = new FileParts();
  return {
    transferables(result) {
      if (!Array.isArray(result)) return [];
      return result.flatMap(({ content }) =>
        'ids' in content ? [bufferOf(content.ids), bufferOf(content.lengths)] : [],
      );
    },
    handle(task) {
      switch (task.kind) {
        case 'store':
          return task.parts.map((part) => storePart(context, task.bytes, part, task.pages));
        case 'read':
          return task.parts.map((part) => storeRead(context, files.read(part, task.pages), part));
        case 'find':
          return context.isStored({ segments: task.segments });
        case 'encode':
          return encode(context, task.entries);
      }
    },
  };
}

function bufferOf({ buffer }: Uint8Array | Uint32Array): ArrayBuffer {
  return buffer as ArrayBuffer;
}

function storePart(context: TaskContext, batch: Uint8Array, part: ContentPart, rules: PageRules): StoredPart {
  const bytes = batch.subarray(part.offset, part.offset + part.length);
  const wrongBlocks = part.firstBlock === undefined ? [] : findWrongBlocks(bytes, part.firstBlock, rules);
  return { ...store(context, bytes, part), wrongBlocks };
}

function storeRead(context: TaskContext, { bytes, wrongBlocks }: ReadPart, part: FilePart): StoredFilePart {
  return { ...store(context, bytes, part), wrongBlocks, length: bytes.length };
}

function store(
  { sink, inlineLimit }: TaskContext,
  bytes: Uint8Array,
  part: Pick<ContentPart, 'isWhole' | 'segmentBytes'>,
): Pick<StoredPart, 'content' | 'checksum'> {
  if (part.isWhole && bytes.length <= inlineLimit)
    return { content: { inline: Uint8Array.from(bytes) }, checksum: crc32c(bytes) };
  const segments: ContentSegment[] = [];
  for (let at = 0; at < bytes.length; at += part.segmentBytes) {
    const piece = bytes.subarray(at, at + part.segmentBytes);
    segments.push(...sink.store(piece));
  }
  const ids = segments.flatMap(({ id }) => (id === null ? [] : [id]));
  const lengths = Uint32Array.from(segments, ({ length }) => length);
  return { content: { ids: Uint8Array.from(Buffer.concat(ids)), lengths }, checksum: crc32c(bytes) };
}

export function unpacked({ ids, lengths }: PackedSegments): ContentSegment[] {
  const idBytes = ids.length / lengths.length;
  return Array.from(lengths, (length, index) => ({ id: ids.subarray(index * idBytes, (index + 1) * idBytes), length }));
}

function encode(context: TaskContext, entries: readonly TreeEntry[]): EncodedEntries {
  const encoded = entries.map((entry) => context.encodeEntry(entry));
  const ends = new Uint32Array(encoded.length);
  let end = 0;
  for (const [index, { length }] of encoded.entries()) ends[index] = end += length;
  return { bytes: Uint8Array.from(Buffer.concat(encoded)), ends, paths: entries.map(({ path }) => path) };
}
