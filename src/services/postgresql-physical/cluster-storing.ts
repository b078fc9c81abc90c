import type { FileHandle } from 'node:fs/promises';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotWriter, TaskRunner } from '../../core/ports/repository.ts';
import type { SnapshotRoot } from '../../core/snapshot-record.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';
import { MANIFEST_PATH, type ReceivedFile } from './backup-manifest.ts';
import type { Run, SentTablespace } from './base-backup-stream.ts';
import { ContentStoring } from './content-storing.ts';
import type { ContentTask, ContentTaskResult } from './content-task.ts';
import { crc32c } from './crc32c.ts';
import type { EarlierFiles } from './earlier-files.ts';
import { FileReading } from './file-reading.ts';
import { storeReconstructed } from './file-reconstruction.ts';
import type { NewContent, StoredFile } from './gathered-content.ts';
import { ByteSource, readIncrementalHeader, wholeFileBlocks, wholeFilePath } from './incremental-file.ts';
import { relationFileAt } from './relation-file.ts';
import { OTHER_SEGMENT_BYTES } from './segment-size.ts';
import { LABEL_PATH, labelOfWhole } from './synthetic-full.ts';
import { type TarFile, tarFiles } from './tar-files.ts';
import { TreeAssembly } from './tree-assembly.ts';
import type { PageRules } from './wrong-blocks.ts';
import { WrongPages } from './wrong-pages.ts';

const TASK_MODULE = new URL('./content-task.ts', import.meta.url).href;

export interface ClusterStoringOptions {
  writer: SnapshotWriter;
  signal: AbortSignal;
  pages: PageRules;
  relationFileBytes: number;
  checksPages: boolean;
  /** Of relation files. */
  segmentBytes: number;
  /** What an incremental backup builds on; absent for full ones. */
  earlierFiles?: EarlierFiles;
  onBytes(bytes: number, path: string): void;
}

/** A file as it was found. */
export interface FoundFile {
  /** bytes */
  size: number;
  metadata: TarFile['metadata'];
}

interface FileToStore extends FoundFile {
  path: ByteString;
}

/**
 * Stores the archives of a base backup, or files that are read beside the server, as one tree that is laid out as a data folder, with the files of tablespaces below
 * `pg_tblspc/OID` in the place of links, and the manifest beside them.
 */
export class ClusterStoring {
  /** What came, by path, to be compared with the manifest. */
  readonly received = new Map<ByteString, ReceivedFile>();
  /** Bytes of files that were put together from an earlier backup and what changed. */
  readonly reconstructed = new Map<ByteString, number>();
  readonly #options: ClusterStoringOptions;
  readonly #runner: TaskRunner<ContentTask, ContentTaskResult>;
  readonly #contents: ContentStoring;
  readonly #reading: FileReading;
  readonly #tree: TreeAssembly;
  readonly #wrong = new WrongPages();
  #label: Buffer | undefined;
  #readBytes = 0;
  #storedBytes = 0;

  constructor(options: ClusterStoringOptions) {
    const { writer, pages } = options;
    const runner: TaskRunner<ContentTask, ContentTaskResult> = writer.tasks({ module: TASK_MODULE, options: {} });
    this.#options = options;
    this.#runner = runner;
    this.#contents = new ContentStoring(writer, runner, pages);
    this.#reading = new FileReading(writer, runner, pages);
    this.#tree = new TreeAssembly(writer, runner);
  }

  /** Stores one archive: of a tablespace, or of the data folder. */
  async take(tablespace: SentTablespace | null, archive: AsyncIterable<Run>): Promise<void> {
    const prefix = tablespace === null ? '' : `pg_tblspc/${tablespace.oid}/`;
    for await (const file of tarFiles(archive)) {
      this.#options.signal.throwIfAborted();
      const path = prefix + file.path;
      if (file.kind === 'file') await this.#takeFile(path, file);
      // A link can only be that of a tablespace, whose files come in its place.
      else await this.takeFolder(path, file.metadata);
    }
  }

  /** Stores a file of this machine, which worker threads read and which is closed then. */
  async takeOpened(path: ByteString, handle: FileHandle, found: FoundFile): Promise<void> {
    const { signal, onBytes } = this.#options;
    const received = (stored: StoredFile): void => {
      this.received.set(path, stored);
      this.#storedBytes += stored.size;
      this.#readBytes += stored.size;
      onBytes(this.#readBytes, path);
    };
    await this.#reading.add({ handle, ...this.#newContent({ path, ...found }, received) });
    signal.throwIfAborted();
  }

  async takeBytes(path: ByteString, bytes: Uint8Array, metadata: FoundFile['metadata']): Promise<void> {
    const received = (stored: StoredFile): void => void this.received.set(path, stored);
    this.#readBytes += bytes.length;
    await this.#store({ path, size: bytes.length, metadata }, [[bytes]], received);
  }

  async takeFolder(path: ByteString, metadata: FoundFile['metadata']): Promise<void> {
    await this.#tree.add({ ...metadata, path, type: 'directory', mode: FOLDER_MODE });
  }

  /** Waits until all that came is stored and its pages are checked. */
  async settleContents(): Promise<void> {
    await this.#contents.finish();
    await this.#reading.finish();
  }

  /** @throws HoldfastError `postgresql-page-checksum` (damaged) */
  refuseWrongPages(): void {
    this.#wrong.refuse();
  }

  /** `backup_label` as it is stored. */
  get label(): Buffer {
    return this.#label ?? Buffer.alloc(0);
  }

  wrongPageWarnings(): string[] {
    return this.#wrong.warnings();
  }

  async finish(manifest: Buffer): Promise<{
    root: Extract<SnapshotRoot, { kind: 'tree' }>;
    files: number;
    /** Of all files as they would be restored, and of what the server sent. */
    bytes: number;
    readBytes: number;
  }> {
    const modifiedAt = BigInt(Date.now()) * 1_000_000n;
    const metadata = { mode: 0o600, uid: 0, gid: 0, modifiedAt };
    await this.#store({ path: MANIFEST_PATH, size: manifest.length, metadata }, [[manifest]], ignore);
    await this.#contents.finish();
    const root = await this.#tree.finish();
    return { root, files: this.received.size + 1, bytes: this.#storedBytes, readBytes: this.#readBytes };
  }

  /** Waits for worker threads that may still be at work after a failure. */
  async settle(): Promise<void> {
    await this.#contents.settle();
    await this.#reading.settle();
  }

  async #takeFile(path: ByteString, { size, metadata, runs }: TarFile): Promise<void> {
    const counted = this.#counted(path, runs);
    const received = (stored: StoredFile): void => void this.received.set(path, stored);
    const came = (checksum: number): void => received({ size, checksum });
    const file = { path, size, metadata };
    const whole = this.#options.earlierFiles === undefined ? undefined : wholeFilePath(path);
    if (whole !== undefined) came(await this.#storeChanges({ ...file, path: whole }, counted));
    else if (path === LABEL_PATH) came(await this.#storeLabel(file, counted));
    else await this.#store(file, counted, received);
  }

  async *#counted(path: ByteString, runs: AsyncIterable<Run>): AsyncGenerator<Run> {
    const { onBytes, signal } = this.#options;
    for await (const run of runs) {
      signal.throwIfAborted();
      this.#readBytes += bytesOf(run);
      onBytes(this.#readBytes, path);
      yield run;
    }
  }

  /** Stores the whole file of which only changed blocks came. @returns the CRC-32C of what came */
  async #storeChanges(
    { path, metadata }: { path: ByteString; metadata: TarFile['metadata'] },
    runs: AsyncIterable<Run>,
  ): Promise<number> {
    const { earlierFiles, pages, segmentBytes } = this.#options;
    let checksum = 0;
    const observe = (piece: Uint8Array): void => {
      checksum = crc32c(piece, checksum);
    };
    const source = new ByteSource(path, observed(runs, observe));
    if (earlierFiles === undefined) throw source.damaged('no incremental backup was asked for');
    const header = await readIncrementalHeader(source, pages.pageBytes);
    const earlier = await earlierFiles.find(path);
    const size = wholeFileBlocks(header) * pages.pageBytes;
    this.#contents.begin(this.#newContent({ path, size, metadata }, ignore));
    await storeReconstructed(
      { header, source, earlier, pageBytes: pages.pageBytes, segmentBytes },
      { earlierFiles, contents: this.#contents, runner: this.#runner },
    );
    await source.drain();
    await this.#contents.end();
    this.#storedBytes += size;
    this.reconstructed.set(path, size);
    return checksum;
  }

  async #storeLabel(
    { path, metadata }: { path: ByteString; metadata: TarFile['metadata'] },
    runs: AsyncIterable<Run>,
  ): Promise<number> {
    const pieces: Uint8Array[] = [];
    for await (const run of runs) pieces.push(Buffer.concat(run));
    const text = Buffer.concat(pieces);
    const label = labelOfWhole(text);
    this.#label = label;
    await this.#store({ path, size: label.length, metadata }, [[label]], ignore);
    return crc32c(text);
  }

  async #store(
    { path, size, metadata }: FileToStore,
    runs: AsyncIterable<Run> | Iterable<Run>,
    checked: (stored: StoredFile) => void,
  ): Promise<void> {
    this.#contents.begin(this.#newContent({ path, size, metadata }, checked));
    let stored = 0;
    for await (const run of runs) {
      await this.#contents.write(run);
      stored += bytesOf(run);
    }
    if (stored !== size) throw incomplete(path, stored, size);
    await this.#contents.end();
    this.#storedBytes += size;
  }

  /** @param checked told of what was stored */
  #newContent({ path, size, metadata }: FileToStore, checked: (stored: StoredFile) => void): NewContent {
    const { segmentBytes, relationFileBytes, checksPages, pages } = this.#options;
    const relation = relationFileAt(path);
    const isChecked = relation !== undefined && checksPages;
    return {
      path,
      size,
      segmentBytes: relation === undefined ? OTHER_SEGMENT_BYTES : segmentBytes,
      ...(isChecked ? { firstBlock: relation.part * (relationFileBytes / pages.pageBytes) } : {}),
      complete: (content, stored) => {
        checked(stored);
        return this.#tree.add({ ...metadata, path, type: 'file', size: stored.size, content } satisfies TreeEntry);
      },
      wrongBlocks: (blocks) => this.#wrong.add(path, blocks),
    };
  }
}

const FOLDER_MODE = 0o700;

const ignore = (): void => undefined;

function bytesOf(run: Run): number {
  return run.reduce((sum, { length }) => sum + length, 0);
}

async function* observed(runs: AsyncIterable<Run>, look: (piece: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for await (const run of runs)
    for (const piece of run) {
      look(piece);
      yield piece;
    }
}

function incomplete(path: ByteString, stored: number, size: number): HoldfastError {
  const name = Buffer.from(path, 'latin1').toString();
  const message = `${name} came with ${stored} bytes instead of ${size}. Nothing was backed up; try again.`;
  return new HoldfastError('damaged', 'postgresql-archive-damaged', message, { details: { path: name } });
}
