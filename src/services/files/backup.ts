import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { isUnreadable } from '../../core/earlier-content.ts';
import type { EncodedEntries, TaskRunner, TreeWriter } from '../../core/ports/repository.ts';
import type { BackupContext, ServiceBackup } from '../../core/ports/service.ts';
import { type ByteString, type Content, type ContentSegment, comparePaths } from '../../core/tree-entry.ts';
import type {
  BackupTask,
  BackupTaskOptions,
  BackupTaskResult,
  BatchCounts,
  BatchResult,
  LargeFile,
  SegmentOutcome,
} from './backup-task.ts';
import { lostBaseWarning } from './base-entries.ts';
import { printable } from './byte-path.ts';
import { commonParent, type FilesConfiguration, parseFilesConfiguration } from './configuration.ts';
import type { FileSegment, SegmentResult } from './file-reader.ts';
import type { FilesSizes } from './sizes.ts';
import { changedWhileRead, faultWarning, hasVanished } from './source-fault.ts';
import { StopFlag } from './stop-flag.ts';
import { walk } from './walk.ts';

const TASK_MODULE = new URL('./backup-task.ts', import.meta.url).href;
/** Paths in one task, at least; up to twice as many. */
const BATCH_PATHS = 512;
/** Segments beyond this many make the file's list a paged one. */
const LONG_LIST = 1000;

type BasePage = { firstPath: ByteString; page: ContentSegment };
type TreeRoot = Awaited<ReturnType<TreeWriter['finish']>>;

/**
 * Backs up the paths of a resource: walks here, reads, cuts and stores in worker threads, appends entries in order.
 * @param ownFolders repositories, which backups do not take along
 */
export async function backUpFiles(
  context: BackupContext,
  sizes: FilesSizes,
  ownFolders: readonly string[] = [],
): Promise<ServiceBackup> {
  const { signal } = context;
  const configuration = parseFilesConfiguration(context.resource.configuration);
  const stop = new StopFlag();
  const stopWorkers = (): void => stop.stop();
  signal.throwIfAborted();
  signal.addEventListener('abort', stopWorkers);
  const job = new FilesBackup(context, sizes, stop, await basePagesOf(context));
  try {
    const { root, counts } = await job.run(walk(configuration, { signal, warn: context.warn, ownFolders }));
    return describe(context, configuration, root, counts);
  } catch (error) {
    stopWorkers();
    await job.settle();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stopWorkers);
  }
}

function describe(
  context: BackupContext,
  configuration: FilesConfiguration,
  root: TreeRoot,
  counts: BatchCounts,
): ServiceBackup {
  return {
    type: context.type,
    root,
    size: counts.sourceBytes,
    checksum: `sha256:${rootHash(root.content)}`,
    isDelta: false,
    readBytes: counts.readBytes,
    sourceBytes: counts.sourceBytes,
    files: {
      total: counts.total,
      new: counts.new,
      changed: counts.changed,
      unmodified: counts.unmodified,
      directories: counts.directories,
      other: counts.other,
    },
    serviceData: {
      paths: configuration.paths,
      commonParent: commonParent(configuration.paths),
      host: hostname(),
      platform: process.platform,
      unreadable: counts.unreadable,
    },
  };
}

/** Only the newest link of a chain counts, as every backup of files is complete by itself. */
async function basePagesOf({ chain, warn }: BackupContext): Promise<readonly BasePage[]> {
  try {
    return (await chain.at(-1)?.reader.pages()) ?? [];
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    warn(lostBaseWarning(error));
    return [];
  }
}

class FilesBackup {
  readonly #context: BackupContext;
  readonly #sizes: FilesSizes;
  readonly #runner: TaskRunner<BackupTask, BackupTaskResult>;
  readonly #tree: TreeWriter;
  readonly #basePages: readonly BasePage[];
  readonly #most: number;
  readonly #waiting: Promise<EncodedEntries[]>[] = [];
  readonly #counts: BatchCounts = {
    total: 0,
    new: 0,
    changed: 0,
    unmodified: 0,
    directories: 0,
    other: 0,
    unreadable: 0,
    sourceBytes: 0,
    readBytes: 0,
  };
  #basePosition = 0;

  constructor(context: BackupContext, sizes: FilesSizes, stop: StopFlag, basePages: readonly BasePage[]) {
    const options: BackupTaskOptions = { sizes, stop: stop.shared };
    this.#context = context;
    this.#sizes = sizes;
    this.#runner = context.writer.tasks({ module: TASK_MODULE, options: { ...options } });
    this.#basePages = basePages;
    this.#tree = context.writer.beginTree();
    this.#most = context.writer.concurrency * 4;
  }

  async run(walked: AsyncIterable<readonly ByteString[]>): Promise<{ root: TreeRoot; counts: BatchCounts }> {
    let batch: ByteString[] = [];
    for await (const paths of walked) {
      for (const path of paths) batch.push(path);
      if (batch.length < BATCH_PATHS) continue;
      await this.#submit(batch);
      batch = [];
    }
    if (batch.length > 0) await this.#submit(batch);
    while (this.#waiting.length > 0) await this.#appendFirst();
    this.#report(undefined);
    return { root: await this.#tree.finish(), counts: this.#counts };
  }

  /** Waits for what is still under way after a failure. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#waiting);
  }

  /** Hands a batch to the worker threads; waits while too many are under way. */
  async #submit(paths: readonly ByteString[]): Promise<void> {
    this.#context.signal.throwIfAborted();
    const result = this.#run(paths);
    // It is awaited when its turn to be appended comes.
    result.catch(() => undefined);
    this.#waiting.push(result);
    while (this.#waiting.length >= this.#most) await this.#appendFirst();
  }

  async #appendFirst(): Promise<void> {
    const entries = await this.#waiting.shift();
    this.#context.signal.throwIfAborted();
    for (const part of entries ?? []) await this.#tree.append(part);
    this.#report(entries?.at(-1)?.paths.at(-1));
  }

  async #run(paths: readonly ByteString[]): Promise<EncodedEntries[]> {
    const basePages = this.#pagesFor(paths[0] as ByteString, paths.at(-1) as ByteString);
    const result = (await this.#runner.run({ kind: 'batch', paths, basePages })) as BatchResult;
    for (const key of Object.keys(this.#counts) as (keyof BatchCounts)[]) this.#counts[key] += result.counts[key];
    for (const warning of result.warnings) this.#context.warn(warning);
    const large = await Promise.all(result.large.map((file) => this.#readLarge(file)));
    return interleave(result, paths, large);
  }

  /** The base's pages that can hold paths from `first` to `last`. Batches come in order, so the search moves on only. */
  #pagesFor(first: ByteString, last: ByteString): ContentSegment[] {
    const pages = this.#basePages;
    while (
      this.#basePosition + 1 < pages.length &&
      comparePaths((pages[this.#basePosition + 1] as BasePage).firstPath, first) <= 0
    )
      this.#basePosition++;
    const found: ContentSegment[] = [];
    for (let index = this.#basePosition; index < pages.length; index++) {
      const { firstPath, page } = pages[index] as BasePage;
      if (comparePaths(firstPath, last) > 0) break;
      found.push({ id: page.id, length: page.length });
    }
    return found;
  }

  async #readLarge({ entry, changedAt, sparse, previous, isNew }: LargeFile): Promise<EncodedEntries | undefined> {
    const { path } = entry;
    const size = entry.size ?? 0;
    const outcomes = await this.#readJoined({ path, size, sparse, ...(previous === undefined ? {} : { previous }) });
    const parts: SegmentResult[] = [];
    for (const outcome of outcomes) {
      if ('fault' in outcome) {
        this.#readOf.delete(path);
        if (!hasVanished(outcome.fault)) this.#counts.unreadable++;
        this.#context.warn(faultWarning(path, outcome.fault));
        return undefined;
      }
      parts.push(outcome);
    }
    const length = parts.reduce((sum, part) => sum + part.bytes, 0);
    const isAsItWas = ({ status }: SegmentResult): boolean =>
      status.size === size && status.modifiedAt === entry.modifiedAt && status.changedAt === changedAt;
    if (length !== size || !areJoined(parts) || !parts.every(isAsItWas)) {
      this.#context.warn(changedWhileRead(path));
      entry.changedAt = 0n;
    }
    const segments = joinHoles(parts.flatMap((part) => part.segments));
    entry.size = length;
    entry.content = segments.length > LONG_LIST ? await this.#context.writer.storeSegments(segments) : { segments };
    this.#counts.total++;
    this.#counts[isNew ? 'new' : 'changed']++;
    this.#readOf.delete(path);
    this.#counts.sourceBytes += length;
    this.#counts.readBytes += parts.reduce((sum, part) => sum + part.readBytes, 0);
    const bytes = (await this.#runner.run({ kind: 'encode', entry })) as Uint8Array;
    return { bytes, ends: Uint32Array.of(bytes.length), paths: [path] };
  }

  /**
   * Where a segment begins depends on what the file held before. Should one task have been unable to read of that what another one has
   * read, they would not agree.
   */
  async #readJoined({ previous, ...file }: Omit<FileSegment, 'start' | 'end'>): Promise<SegmentOutcome[]> {
    if (previous === undefined) return this.#readSegments(file);
    const outcomes = await this.#readSegments({ ...file, previous });
    return areJoined(outcomes) ? outcomes : this.#readSegments(file);
  }

  /** All segments are submitted at once; what else is to be read comes after them. */
  async #readSegments(file: Omit<FileSegment, 'start' | 'end'>): Promise<SegmentOutcome[]> {
    const tasks: Promise<BackupTaskResult>[] = [];
    this.#readOf.set(file.path, 0);
    for (let start = 0; start < file.size; start += this.#sizes.segment) {
      const end = Math.min(file.size, start + this.#sizes.segment);
      const task = this.#runner.run({ kind: 'segment', start, end, ...file });
      tasks.push(task.finally(() => this.#tellRead(file.path, end - start)));
    }
    return (await Promise.all(tasks)) as SegmentOutcome[];
  }

  #tellRead(path: ByteString, bytes: number): void {
    this.#readOf.set(path, (this.#readOf.get(path) ?? 0) + bytes);
    this.#report(path);
  }

  /** Bytes that were read of large files that are not complete yet. */
  readonly #readOf = new Map<ByteString, number>();
  #lastReport = 0;
  #report(path: ByteString | undefined): void {
    const now = performance.now();
    if (path !== undefined && now - this.#lastReport < 200) return;
    this.#lastReport = now;
    const { total, sourceBytes } = this.#counts;
    this.#context.report({
      percent: 0,
      phase: 'backup',
      doneBytes: this.#readOf.values().reduce((sum, bytes) => sum + bytes, sourceBytes),
      doneFiles: total,
      ...(path === undefined ? {} : { current: printable(path) }),
    });
  }
}

/** Whether each part begins where the one before it ends. What could not be read is no matter of how parts are joined. */
export function areJoined(outcomes: readonly SegmentOutcome[]): boolean {
  let end = 0;
  for (const part of outcomes) {
    if ('fault' in part) return true;
    if (part.from !== end) return false;
    end += part.bytes;
  }
  return true;
}

/** Puts the entries of large files back to where they belong among the others. @param all the batch's paths */
function interleave(
  result: BatchResult,
  all: readonly ByteString[],
  large: readonly (EncodedEntries | undefined)[],
): EncodedEntries[] {
  const { bytes, ends, positions } = result.entries;
  const paths = positions.length === all.length ? all : Array.from(positions, (at) => all[at] as ByteString);
  if (result.large.length === 0) return [{ bytes, ends, paths }];
  const parts: EncodedEntries[] = [];
  let from = 0;
  const take = (until: number): void => {
    if (until === from) return;
    const begin = from === 0 ? 0 : (ends[from - 1] as number);
    parts.push({
      bytes: bytes.subarray(begin, ends[until - 1]),
      ends: ends.slice(from, until).map((end) => end - begin),
      paths: paths.slice(from, until),
    });
    from = until;
  };
  for (const [index, { position }] of result.large.entries()) {
    take(position);
    const entry = large[index];
    if (entry !== undefined) parts.push(entry);
  }
  take(paths.length);
  return parts;
}

function joinHoles(segments: readonly ContentSegment[]): ContentSegment[] {
  const joined: ContentSegment[] = [];
  for (const segment of segments) {
    const last = joined.at(-1);
    if (segment.id === null && last !== undefined && last.id === null)
      joined[joined.length - 1] = { id: null, length: last.length + segment.length };
    else joined.push(segment);
  }
  return joined;
}

function rootHash(content: Content): string {
  const hash = createHash('sha256');
  if ('inline' in content) hash.update(content.inline);
  else for (const { id } of 'segments' in content ? content.segments : content.pages) if (id !== null) hash.update(id);
  return hash.digest('hex');
}
