import { HoldfastError } from '../core/errors.ts';
import { expectBack } from '../core/given-back.ts';
import type {
  ContentDamage,
  PlannedRange,
  SnapshotReader,
  TaskModuleReference,
  TaskRunner,
} from '../core/ports/repository.ts';
import type { SnapshotRecord } from '../core/snapshot-record.ts';
import type { ByteString, Content, ContentSegment, TreeEntry } from '../core/tree-entry.ts';
import { type LocatedChunk, planRanges } from './chunk-planner.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { contentSegments, isLoss } from './content-list.ts';
import { chunkMissing } from './missing-chunk.ts';
import type { EngineTask, ReadDespiteDamage, ReadPieces } from './pipeline/engine-tasks.ts';
import { ENGINE_MODULE } from './pipeline/messages.ts';
import type { PoolSession } from './pipeline/task-pool.ts';
import { readAhead } from './read-ahead.ts';
import type { RepositoryParts } from './repository-parts.ts';
import { decodeTreePage } from './tree-entry-codec.ts';
import { decodeTreeIndex, isBelow, pagesHolding, type TreePage } from './tree-index.ts';

/** Content up to this length is read without worker threads. */
const SMALL_CONTENT = 1024 * 1024;
/** Of chunks, where memory is short; bytes. */
const SLICE = 64 * 1024;
const ZEROS = new Uint8Array(65_536);

export class EngineSnapshotReader implements SnapshotReader {
  readonly record: SnapshotRecord;
  readonly #parts: RepositoryParts;
  readonly #chunks: ChunkReader;
  #session: PoolSession | undefined;
  #index: Promise<readonly TreePage[]> | undefined;
  /** Ends of readings that go on, or that somebody forgot to end. */
  readonly #readings = new Set<() => void>();
  #refreshed = false;
  #isClosed = false;

  constructor(parts: RepositoryParts, record: SnapshotRecord) {
    this.#parts = parts;
    this.#chunks = parts.newChunkReader();
    this.record = record;
  }

  get concurrency(): number {
    return this.#parts.pool.size;
  }

  async *read(
    content: Content = this.record.root.content,
    range?: { offset: number; length: number },
    options: { onDamage?: (damage: ContentDamage) => void; isGivenBack?: boolean } = {},
  ): AsyncGenerator<Uint8Array> {
    const from = range?.offset ?? 0;
    const until = range === undefined ? Number.POSITIVE_INFINITY : range.offset + range.length;
    if ('inline' in content) {
      yield content.inline.subarray(from, Math.min(until, content.inline.length));
      return;
    }
    let position = 0;
    for await (const piece of this.#pieces(content, from, until, options.onDamage !== undefined)) {
      const begin = Math.max(0, from - position);
      const end = Math.min(piece.length, until - position);
      if (begin < end && piece.lostBecause !== undefined)
        options.onDamage?.({ offset: position + begin, length: end - begin, reason: piece.lostBecause });
      position += piece.length;
      if (begin < end) yield* piece.bytes(begin, end, options.isGivenBack === true);
    }
  }

  async *entries(options: { paths?: readonly ByteString[] } = {}): AsyncGenerator<TreeEntry> {
    const { paths } = options;
    let next: Promise<TreeEntry[]> | undefined;
    const pages = pagesHolding(await this.#treeIndex(), paths);
    for (const [index] of pages.entries()) {
      const entries = await (next ?? this.#page(pages[index] as TreePage));
      const following = pages[index + 1];
      next = following === undefined ? undefined : this.#page(following);
      // It is awaited on the next turn, or never if the consumer stops early.
      next?.catch(() => undefined);
      for (const entry of entries)
        if (paths === undefined || paths.some((path) => isBelow(entry.path, path))) yield entry;
    }
  }

  async pages(): Promise<readonly TreePage[]> {
    return this.#treeIndex();
  }

  segments(content: Content, options: { despiteDamage?: boolean } = {}): AsyncIterable<ContentSegment> {
    const tolerance = options.despiteDamage === true ? 'unreadable' : 'nothing';
    return contentSegments(
      content,
      (id) => this.#chunks.read(id),
      () => false,
      tolerance,
    );
  }

  async plan(wanted: readonly { id: Uint8Array; tag: number }[]): Promise<PlannedRange[]> {
    const located = new Map<string, LocatedChunk>();
    for (const { id, tag } of wanted) {
      const name = Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
      const known = located.get(name);
      if (known !== undefined) known.tags.push(tag);
      else
        located.set(name, { id, tags: [tag], location: this.#parts.index.find(id) ?? (await this.#locateAgain(id)) });
    }
    return planRanges([...located.values()], (number) => this.#parts.index.pack(number));
  }

  tasks<Task, Result>(module: TaskModuleReference): TaskRunner<Task, Result> {
    return {
      run: async (task, transfer) => {
        const result = await this.#open().run(module.module, module.options, task, transfer);
        // Bytes are as short-lived as those of `read`, and so is what is made of them.
        if (result instanceof Uint8Array) readAhead.passed(result.length);
        return result as Result;
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const end of this.#readings) end();
    const session = this.#session;
    this.#session = undefined;
    await session?.close(false);
  }

  #treeIndex(): Promise<readonly TreePage[]> {
    this.#index ??= this.#readTreeIndex();
    return this.#index;
  }

  async #readTreeIndex(): Promise<readonly TreePage[]> {
    if (this.record.root.kind !== 'tree')
      throw new HoldfastError(
        'unsupported',
        'content-is-no-tree',
        `${this.record.backup.id} holds a ${this.record.backup.contentKind}, not a tree of files.`,
      );
    const parts: Uint8Array[] = [];
    for await (const bytes of this.read()) parts.push(Uint8Array.from(bytes));
    return decodeTreeIndex(Buffer.concat(parts));
  }

  async #page(page: TreePage): Promise<TreeEntry[]> {
    if (page.page.id === null)
      throw new HoldfastError('damaged', 'metadata-damaged', 'A page of the tree is recorded as a hole.');
    return decodeTreePage(await this.#chunks.read(page.page.id)).entries;
  }

  /** Pieces of a content in order, holes and unwanted parts included but not read. */
  async *#pieces(content: Content, from: number, until: number, despiteDamage: boolean): AsyncGenerator<Piece> {
    const windows = this.#windows(content, from, until, despiteDamage);
    const begun: { bytes: number; pieces: Promise<Piece[]> }[] = [];
    let bytesBegun = 0;
    const isSmall = isWithin(SMALL_CONTENT, content, from, until);
    const end = readAhead.begin();
    this.#readings.add(end);
    try {
      for (let isEnd = false; ; ) {
        while (!isEnd && (begun.length === 0 || bytesBegun + readAhead.windowBytes <= readAhead.share)) {
          const { value: window } = await windows.next();
          if (window === undefined) {
            isEnd = true;
            break;
          }
          const bytes = wantedBytes(window);
          const pieces = this.#readWindow(window, isSmall, despiteDamage);
          // It is awaited turns later; until then an error must not count as unhandled.
          pieces.catch(() => undefined);
          begun.push({ bytes, pieces });
          bytesBegun += bytes;
        }
        const next = begun.shift();
        if (next === undefined) return;
        const given = await next.pieces;
        yield* given;
        if (!given.some(({ isLent }) => isLent)) for (const piece of given) piece.free();
        bytesBegun -= next.bytes;
        readAhead.passed(next.bytes);
      }
    } finally {
      end();
      this.#readings.delete(end);
    }
  }

  async *#windows(content: Content, from: number, until: number, despiteDamage: boolean): AsyncGenerator<WindowPart[]> {
    let window: WindowPart[] = [];
    let bytes = 0;
    let position = 0;
    const unwanted = (start: number, length: number): boolean => start + length <= from || start >= until;
    const readPage = (id: Uint8Array): Promise<Uint8Array> => this.#chunks.read(id);
    const tolerance = despiteDamage ? 'unreadable' : 'nothing';
    for await (const { id, length, missing } of contentSegments(content, readPage, unwanted, tolerance)) {
      const wanted = id !== null && !unwanted(position, length);
      window.push({ id: wanted ? id : null, length, offset: position, isMissing: missing === true });
      if (wanted) bytes += length;
      position += length;
      if (bytes >= readAhead.windowBytes) {
        yield window;
        window = [];
        bytes = 0;
      }
      if (position >= until) break;
    }
    if (window.length > 0) yield window;
  }

  async #readWindow(window: readonly WindowPart[], isSmall: boolean, despiteDamage: boolean): Promise<Piece[]> {
    const wanted = window.flatMap(({ id }, tag) => (id === null ? [] : [{ id, tag }]));
    const lost = new Map<number, string>();
    let found: Map<number, Uint8Array>;
    try {
      const isHere = wanted.length === 0 || (isSmall && this.#session === undefined);
      found = isHere ? await this.#readHere(wanted) : await this.#readInThreads(wanted);
    } catch (error) {
      if (!isLoss(error)) throw error;
      found = await this.#readDespiteDamage(wanted, lost);
      const [first] = [...lost.keys()].sort((a, b) => a - b);
      if (first !== undefined && !despiteDamage) throw rangeLost(error, window[first] as WindowPart);
    }
    return window.map((part, tag) => {
      const { id, length, isMissing } = part;
      if (isMissing) return new Piece(length, undefined, 'a part of it was lost before');
      if (id === null || lost.has(tag)) return new Piece(length, undefined, lost.get(tag));
      const bytes = found.get(tag);
      if (bytes === undefined || bytes.length !== length)
        throw new HoldfastError(
          'damaged',
          'metadata-damaged',
          `A list of chunks records another length than its chunk ${Buffer.from(id).toString('hex')} has.`,
        );
      return new Piece(length, bytes);
    });
  }

  async #readDespiteDamage(
    wanted: readonly { id: Uint8Array; tag: number }[],
    lost: Map<number, string>,
  ): Promise<Map<number, Uint8Array>> {
    const task: EngineTask = { kind: 'read-despite-damage', wanted };
    const result = (await this.#open().run(ENGINE_MODULE, {}, task)) as ReadDespiteDamage;
    for (const { tag, reason } of result.lost) lost.set(tag, reason);
    return new Map(result.found.map(({ tag, bytes }) => [tag, bytes]));
  }

  async #readHere(wanted: readonly { id: Uint8Array; tag: number }[]): Promise<Map<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    for (const { id, tag } of wanted) found.set(tag, Uint8Array.from(await this.#chunks.read(id)));
    return found;
  }

  async #readInThreads(wanted: readonly { id: Uint8Array; tag: number }[]): Promise<Map<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    const session = this.#open();
    const results = await Promise.all(
      (await this.plan(wanted)).map((range) => session.run(ENGINE_MODULE, {}, { kind: 'read-pieces', range })),
    );
    for (const { pieces } of results as ReadPieces[]) for (const { tag, bytes } of pieces) found.set(tag, bytes);
    return found;
  }

  async #locateAgain(id: Uint8Array): Promise<import('./chunk-table.ts').ChunkLocation> {
    if (!this.#refreshed) {
      this.#refreshed = true;
      await this.#parts.index.refresh();
    }
    const location = this.#parts.index.find(id);
    if (location === undefined) throw chunkMissing(id);
    return location;
  }

  #open(): PoolSession {
    // A reading that was given up would begin a session that nobody closes.
    if (this.#isClosed)
      throw new HoldfastError('cancelled', 'snapshot-reader-closed', 'The reading of this backup was given up.');
    const { pool, keyring, index } = this.#parts;
    this.#session ??= pool.openSession({ keyring: keyring().secrets(), index: index.shared }, index.callbacks);
    return this.#session;
  }
}

interface WindowPart {
  id: Uint8Array | null;
  length: number;
  /** In the content. */
  offset: number;
  /** No hole: lost. */
  isMissing: boolean;
}

function wantedBytes(window: readonly WindowPart[]): number {
  return window.reduce((sum, { id, length }) => sum + (id === null ? 0 : length), 0);
}

function rangeLost(error: HoldfastError, { offset, length }: WindowPart): HoldfastError {
  const message = `Bytes ${offset} to ${offset + length - 1} cannot be read: ${error.message}`;
  return new HoldfastError('damaged', error.code, message, {
    cause: error,
    details: { ...error.details, offset, length },
  });
}

/** Whether no more than so many bytes lie between `from` and `until`; holes in lists of lists count as well. */
function isWithin(most: number, content: Content, from: number, until: number): boolean {
  if ('inline' in content) return true;
  const list = 'segments' in content ? content.segments : content.pages;
  const length = list.reduce((sum, segment) => sum + segment.length, 0);
  return Math.min(until, length) - from <= most;
}

/** A run of bytes, or of zeros. */
class Piece {
  readonly length: number;
  /** Why the zeros are none of the content. */
  readonly lostBecause: string | undefined;
  /** Whether somebody may still look at its memory. */
  isLent = false;
  #bytes: Uint8Array | undefined;

  constructor(length: number, bytes: Uint8Array | undefined, lostBecause?: string) {
    this.length = length;
    this.lostBecause = lostBecause;
    this.#bytes = bytes;
  }

  /** Gives what is wanted of it. */
  *bytes(begin: number, end: number, isGivenBack: boolean): Generator<Uint8Array> {
    const bytes = this.#bytes;
    if (bytes === undefined)
      for (let at = begin; at < end; at += ZEROS.length) yield ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
    else if (readAhead.isCrowded) yield* inSlices(bytes.subarray(begin, end), isGivenBack);
    else {
      this.isLent = true;
      yield bytes.subarray(begin, end);
    }
  }

  /**
   * Gives its memory back at once, which is that of its window alone. Where many take turns, it has grown old by now and would wait
   * for a major collection.
   */
  free(): void {
    const memory = this.#bytes?.buffer;
    this.#bytes = undefined;
    if (memory instanceof ArrayBuffer && !memory.detached) memory.transfer(0);
  }
}

/** Copies: whoever takes pieces holds one or two of them; of fifty readers that would be a hundred whole chunks. */
function* inSlices(bytes: Uint8Array, isGivenBack: boolean): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += SLICE) {
    // Not `slice`, which copies nothing of a Buffer.
    const slice = new Uint8Array(bytes.subarray(at, at + SLICE));
    yield isGivenBack ? expectBack(slice) : slice;
  }
}
