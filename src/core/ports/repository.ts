import type { Backup } from '../backup.ts';
import type { HoldfastError } from '../errors.ts';
import type { SnapshotRecord, SnapshotRoot } from '../snapshot-record.ts';
import type { ByteString, Content, ContentSegment, MissingRange, TreeEntry } from '../tree-entry.ts';
import type { CheckLevel, CheckOptions, CheckReport, VerificationState } from './repository-check.ts';
import type { CollectionOptions, CollectionReport, ForgottenSnapshot } from './repository-collection.ts';
import type { CopyOptions, CopyReport, NewCopy } from './repository-copy.ts';
import type { IndexRebuildReport, RepairReport } from './repository-repair.ts';
import type { StepProgress } from './step-progress.ts';
import type { Storage } from './storage.ts';

/** The encrypted, compressed, deduplicated store of backups' bytes, as the managers and services see it. */
export interface Repository {
  readonly id: string;
  /** Where it lies, for a person to read; no secret. */
  readonly location: string;

  beginSnapshot(options: { encrypt: boolean; signal?: AbortSignal }): Promise<SnapshotWriter>;
  /** @throws HoldfastError `snapshot-missing` (not-found), `snapshot-damaged` (damaged), `format-newer` (unsupported) */
  openSnapshot(id: string): Promise<SnapshotReader>;
  /** Ids of all valid snapshots, oldest first. */
  listSnapshots(): Promise<readonly string[]>;
  /** Changes what a snapshot says of its backup (hold, expiry, tags); its bytes stay. */
  updateSnapshot(id: string, change: (backup: Backup) => Backup): Promise<void>;
  /** Moves a snapshot to the trash, from which it can be brought back until `trashDays` are over. */
  forgetSnapshot(id: string, options: { trashDays: number; reason: string }): Promise<void>;

  check(options: CheckOptions): Promise<CheckReport>;
  /** Writes index segments anew from the footers (or, where a footer is lost, the frames) of all packs. */
  rebuildIndex(options: {
    signal?: AbortSignal;
    report?: (progress: StepProgress) => void;
  }): Promise<IndexRebuildReport>;
  statistics(): Promise<RepositoryStatistics>;
  /**
   * Mends what can be mended, beside running backups and collectors: rebuilds the index, fetches damaged packs from copies,
   * saves what is left of the others and marks them, and makes a snapshot beside each one that misses something. Nothing
   * that might still be of use is deleted.
   * @throws HoldfastError `format-newer` (unsupported): something was written by a newer Holdfast; nothing was touched;
   *   `collection-round-damaged` (damaged): which backups count cannot be told, and no copy has what says it
   */
  repair(options: RepairOptions): Promise<RepairReport>;

  /**
   * Removes what no backup needs, beside running backups, restores and other collectors (engines.md 6.2).
   * @throws HoldfastError `collection-would-empty-repository`, `snapshots-vanished` (conflict), `collection-stopped-by-damage`
   */
  collect(options: CollectionOptions): Promise<CollectionReport>;
  /** Forgotten backups that can still be brought back, oldest first. */
  listTrash(): Promise<readonly ForgottenSnapshot[]>;
  /**
   * Brings a forgotten backup back.
   * @throws HoldfastError `not-in-trash` (not-found), `backup-collected` (gone): its chunks were removed already
   */
  undeleteSnapshot(id: string): Promise<SnapshotRecord>;

  /** Makes a repository that snapshots of this one can be copied to (`copyFrom`), with a master key of its own. */
  initialiseCopy(options: NewCopy): Promise<void>;
  /**
   * Copies snapshots of another repository into this one.
   * @throws HoldfastError `copy-unrelated` (invalid), `copy-would-forget-most` (conflict)
   */
  copyFrom(source: Repository, options: CopyOptions): Promise<CopyReport>;

  readonly keys: RepositoryKeys;
  close(): Promise<void>;
}

/** Makes one snapshot. Nothing that it writes is visible as a backup until `commit` resolves. */
export interface SnapshotWriter {
  readonly snapshotId: string;
  /** How many tasks run at once; keep about twice as many submitted. */
  readonly concurrency: number;
  /** Cuts and stores a stream of bytes in constant memory. `sha256` is hex, of the plain bytes. */
  writeStream(source: AsyncIterable<Uint8Array>, options?: WriteStreamOptions): Promise<StoredStream>;
  /** Loads a task module in the worker threads and returns what runs its tasks there. */
  tasks<Task, Result>(module: TaskModuleReference): TaskRunner<Task, Result>;
  /** The tree being built; entries must come in the order of `comparePaths`. */
  beginTree(): TreeWriter;
  /** Turns a long list of segments into pages of it, a short one into `{ segments }`. */
  storeSegments(segments: readonly ContentSegment[]): Promise<Content>;
  /** What has been stored so far. */
  counts(): WrittenCounts;
  /** Seals, uploads and publishes; when it resolves, the backup is safe. `complete` fills in the final record. */
  commit(complete: (counts: WrittenCounts) => SnapshotRecord): Promise<SnapshotRecord>;
  /** Gives up; whatever was written is left to collection. Safe to call twice or after a failed commit. */
  abort(): Promise<void>;
}

export interface WriteStreamOptions {
  /** Called with the bytes taken so far. */
  onBytes?: (bytes: number) => void;
  /** Content up to this many bytes goes into the snapshot object itself; default: the repository's. */
  inlineLimit?: number;
  /** Chunks of an earlier content that this one is likely to be like, of this repository. They only save looking for cuts. */
  expected?: AsyncIterable<ContentSegment>;
}

export interface StoredStream {
  length: number;
  sha256: string;
  root: Extract<SnapshotRoot, { kind: 'stream' }>;
}

/** All sizes in bytes. */
export interface WrittenCounts {
  /** Plain bytes handed in as content. */
  contentBytes: number;
  /** Plain bytes that were in no earlier pack. */
  newBytes: number;
  /** The same after compression (before encryption's overhead). */
  newCompressedBytes: number;
  /** Estimated compressed size of all content, the deduplicated part included at its own compressed size. */
  compressedBytes: number;
  /** Bytes of the objects written. */
  storedBytes: number;
}

export interface TreeWriter {
  append(entries: EncodedEntries): Promise<void>;
  finish(): Promise<Extract<SnapshotRoot, { kind: 'tree' }>>;
}

/** Entries as `TaskContext.encodeEntry` made them: entry i is `bytes.subarray(ends[i - 1] ?? 0, ends[i])`, its path `paths[i]`. */
export interface EncodedEntries {
  bytes: Uint8Array;
  ends: Uint32Array;
  paths: readonly ByteString[];
}

/** Runs tasks in worker threads; they start in the order of submission. Rejects with the task's error. */
export interface TaskRunner<Task, Result> {
  run(task: Task, transfer?: readonly ArrayBuffer[]): Promise<Result>;
}

/** A module that exports `createTaskHandler(context, options): TaskHandler`. */
export interface TaskModuleReference {
  /** file: URL of the module */
  module: string;
  /** structured-cloneable */
  options: Readonly<Record<string, unknown>>;
}

/** One handler lives in each worker thread for the time of one snapshot written or read. */
export interface TaskHandler<Task, Result> {
  handle(task: Task): Result | Promise<Result>;
  /** Memory of a result that moves to the main thread instead of being copied. */
  transferables?(result: Result): readonly ArrayBuffer[];
  close?(): void;
}

/** What a task has at hand in its worker thread. Writing is synchronous (the thread has nothing else to do); reading from the storage is not. */
export interface TaskContext {
  readonly inlineLimit: number;
  /** Only while writing. */
  readonly sink: ChunkSink;
  /** Reads chunks that packs hold; while writing too (parents' pages). */
  readonly source: ChunkSource;
  encodeEntry(entry: TreeEntry): Uint8Array;
  /**
   * While writing: whether all of a content is stored where this backup may rely on it. Counts it as content if so. Is told at once
   * unless the content's list has pages of its own.
   */
  isStored(content: Content): boolean | Promise<boolean>;
  /** As `SnapshotReader.plan`, in this thread. */
  plan(wanted: readonly { id: Uint8Array; tag: number }[]): Promise<PlannedRange[]>;
  /**
   * Reads chunks from whichever of their places they can be read from. Each tag comes to `take`, with verified bytes (valid
   * during the call only), or to `lose`.
   */
  readDespiteDamage(
    wanted: readonly { id: Uint8Array; tag: number }[],
    take: (tag: number, bytes: Uint8Array) => void,
    lose: (tag: number, reason: HoldfastError) => void,
  ): Promise<void>;
  /**
   * The segments of a content, its pages resolved.
   * @param options `despiteDamage`: give what is lost as segments of `missing` bytes, instead of ending there;
   *   `within`: give what lies elsewhere as holes where that saves reading pages
   * @throws HoldfastError `content-missing` (damaged) for what a repair recorded as lost; what reading pages throws
   */
  segments(
    content: Content,
    options?: { despiteDamage?: boolean; within?: { offset: number; length: number } },
  ): AsyncIterable<ContentSegment>;
  /** Reads and decodes pages of a tree, near ones together. `encoded[i]` are the bytes of `entries[i]`, to be appended again as they are. */
  readPages(pages: readonly ContentSegment[]): Promise<TreePageEntries[]>;
  /** The same, for entries that are wanted one after another: each is decoded when its turn comes, and nothing is copied. */
  openPages(pages: readonly ContentSegment[]): Promise<OpenTreePage[]>;
}

export interface TreePageEntries {
  entries: TreeEntry[];
  encoded: Uint8Array[];
}

/** A page of a tree in memory. */
export interface OpenTreePage {
  /** Reads its entries from the first one on. */
  read(): TreePageReading;
}

export interface TreePageReading {
  /**
   * The next entry, whose content refers to the memory of the whole page; undefined behind the last one.
   * @throws HoldfastError `metadata-damaged` (damaged)
   */
  next(): TreeEntry | undefined;
  /** The bytes that stand for the entry at hand. */
  encoded(): Uint8Array;
}

/** Bytes before its end that a chunk's end depends on. */
export const CHUNK_TAIL = 32;

/** Cuts content into chunks, stores those that are new. */
export interface ChunkSink {
  /** Stores up to one whole small content; cut where it is longer than a chunk may be. */
  store(bytes: Uint8Array): ContentSegment[];
  /**
   * Begins a content whose bytes come piece by piece. It is cut and stored alike with and without something `expected`, which
   * only saves looking for the cuts.
   */
  beginContent(expected?: ExpectedContent): ContentBuilder;
  /**
   * Whether a chunk of `length` bytes may have been cut behind such a `tail`, its last `CHUNK_TAIL` bytes. Of a chunk as long as one may be, which
   * any bytes may end, it says no.
   */
  mayEnd(tail: Uint8Array, length: number): boolean;
  /** Waits where the storage lags behind. To be asked between pieces of what is longer than some 10 MiB. */
  ready(): Promise<void>;
}

/** An earlier content, or a part of it, that one about to be written is likely to be like. Its chunks are this repository's. */
export interface ExpectedContent {
  segments: readonly ContentSegment[];
  /** Where the first of them would begin, bytes from the beginning of what is written; negative where it lies before. */
  offset: number;
}

export interface ContentBuilder {
  /** Free room of the cutter's own buffer, never empty: read into it, then tell how much with `advance`. */
  room(): Uint8Array;
  advance(bytes: number): void;
  /** A run of zero bytes that is not stored. */
  hole(length: number): void;
  finish(): ContentSegment[];
  /** Forgets what was given and not stored yet. */
  abandon(): void;
}

export interface ChunkSource {
  /** Reads a planned range and gives each wanted chunk's verified bytes (valid during the call only) with its tag. */
  read(range: PlannedRange, take: (tag: number, bytes: Uint8Array) => void): Promise<void>;
}

/** One contiguous range of one pack and the chunks wanted from it; made by `SnapshotReader.plan`, opaque to services. */
export interface PlannedRange {
  readonly packKey: string;
  readonly offset: number;
  /** bytes of the pack to read */
  readonly length: number;
  /** Sum of the wanted chunks' plain lengths. */
  readonly plainLength: number;
  readonly pack: unknown;
  readonly wanted: unknown;
  /** The tags in this range, in order of offset. */
  readonly tags: readonly number[];
}

/** Bytes of a content that cannot be read. */
export interface ContentDamage extends MissingRange {
  /** Why, for a person to read. */
  reason: string;
}

/** Reads one snapshot. Every byte that it gives was authenticated and verified. */
export interface SnapshotReader {
  readonly record: SnapshotRecord;
  /**
   * The bytes of a content (default: the root's, for streams), in order; memory stays bounded. A piece is whoever's it was given to:
   * nothing else writes into it.
   * @param options `onDamage`: give zeros for what is lost, and tell of it here before they come, instead of ending there;
   *   `isGivenBack`: whoever takes the pieces calls `giveBack` with each that it is done with, and keeps no view of it
   * @throws HoldfastError of kind damaged, naming the range of bytes (`details.offset`, `details.length`)
   */
  read(
    content?: Content,
    range?: { offset: number; length: number },
    options?: { onDamage?: (damage: ContentDamage) => void; isGivenBack?: boolean },
  ): AsyncIterable<Uint8Array>;
  /** A tree's entries in order, those at or below one of `paths` if given. */
  entries(options?: { paths?: readonly ByteString[] }): AsyncIterable<TreeEntry>;
  /** A tree's pages with the path of each one's first entry, in order. */
  pages(): Promise<readonly { firstPath: ByteString; page: ContentSegment; entries: number }[]>;
  /** As `TaskContext.segments`. */
  segments(content: Content, options?: { despiteDamage?: boolean }): AsyncIterable<ContentSegment>;
  /**
   * Finds where chunks lie and makes few, long, ordered reads of them (gap ≤ 256 KiB, range ≤ 8 MiB). A chunk may be wanted
   * under several tags. @throws HoldfastError `chunk-missing` (damaged)
   */
  plan(wanted: readonly { id: Uint8Array; tag: number }[]): Promise<PlannedRange[]>;
  tasks<Task, Result>(module: TaskModuleReference): TaskRunner<Task, Result>;
  readonly concurrency: number;
  close(): Promise<void>;
}

export interface RepairOptions {
  /** Only tells what would be done. */
  dryRun: boolean;
  /** Storages of copies of this very repository, to fetch from what is damaged here. */
  replicas?: readonly Storage[];
  /** Repositories that snapshots of this one were copied to, to fetch chunks and snapshots from. */
  donors?: readonly Repository[];
  /** How deep to look for damage first; default 4. */
  level?: CheckLevel;
  signal?: AbortSignal;
  report?: (progress: StepProgress) => void;
}

export interface RepositoryStatistics {
  formatVersion: number;
  snapshots: number;
  packs: number;
  packBytes: number;
  indexSegments: number;
  chunks: number;
  totalBytes: number;
  cipher: string;
  codec: string;
  keyEpoch: number;
  /** Bytes of packs that are encrypted under keys that were rotated since. */
  oldKeyBytes: number;
  /** What checks have read so far, at level 3 or deeper. */
  verification: VerificationState;
  /** Forgotten backups that can still be brought back. */
  trash: number;
  /** What the newest collection removed; absent before the first one that found something. */
  lastCollection?: { completedAt: string; packsRemoved: number; bytesFreed: number; snapshotsExpired: number };
}

export interface KeySlot {
  id: string;
  /** `passphrase`, `keyfile` … */
  kind: string;
  label: string;
  createdAt: string;
  /** This process opened the repository with it. */
  current: boolean;
}

export interface RepositoryKeys {
  list(): Promise<readonly KeySlot[]>;
  /** Wraps the master key once more; `provider` makes the wrapping key. */
  add(provider: import('./key-provider.ts').KeyProvider, label: string): Promise<KeySlot>;
  /** @throws HoldfastError `last-key-slot` (conflict): the last one stays */
  remove(slotId: string): Promise<void>;
  /**
   * Begins a new key epoch under a new master key. Only the slots that `providers` can open are carried over.
   * @throws HoldfastError `key-slots-would-be-lost` (conflict) naming them, unless `dropOthers`
   */
  rotate(
    providers: readonly import('./key-provider.ts').KeyProvider[],
    options: { dropOthers: boolean },
  ): Promise<{ epoch: number; slots: readonly KeySlot[] }>;
}
