import { DamageList } from '../../core/damage-list.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader, TaskRunner } from '../../core/ports/repository.ts';
import type { RestoreContext, RestoreDamage, ServiceRestore } from '../../core/ports/service.ts';
import type { Resource } from '../../core/resource.ts';
import { plannedNames, type ServicePlan, servicePlan } from '../../core/restore-plan.ts';
import { type ByteString, type ContentSegment, comparePaths, type TreeEntry } from '../../core/tree-entry.ts';
import { isBelow, printable, toByteString } from './byte-path.ts';
import { restoreLargeFile } from './large-file-restore.ts';
import { LinkedFiles } from './linked-files.ts';
import { movedRoots } from './moved-roots.ts';
import { makeParentFolders } from './parent-folders.ts';
import { parseRestoreOptions, type RestoreOptions } from './restore-options.ts';
import { checkTarget, makeTarget, requirePaths } from './restore-preconditions.ts';
import {
  ACTIONS_TOLD,
  type DirectoryEnd,
  noActions,
  type RestoreAction,
  type RestoreCounts,
  type RestoreTaskResult,
} from './restore-result.ts';
import { foldersAbove, RestoreTarget, type RestoreTargetOptions } from './restore-target.ts';
import type { RestoreTask, RestoreTaskOptions } from './restore-task.ts';
import type { FilesSizes } from './sizes.ts';
import { StopFlag } from './stop-flag.ts';

const TASK_MODULE = new URL('./restore-task.ts', import.meta.url).href;
const DIRECTORIES_IN_A_TASK = 500;
const LINKS_IN_A_TASK = 500;
const LINKED_FILES_IN_A_TASK = 64;
const PAGES_IN_A_TASK = 8;

/**
 * Restores a tree, whole or by path. Pages of it go to worker threads, which read, verify and write by themselves.
 *
 * @throws HoldfastError `options-invalid`, `restore-target-missing` (invalid), `path-not-in-backup` (not-found),
 * `target-not-empty`, `target-not-a-folder`, `file-exists`, `folder-in-the-way` (conflict), `path-escapes-target` (denied), and
 * those of damaged content (damaged), which name the file
 */
export async function restoreFiles(context: RestoreContext, sizes: FilesSizes): Promise<ServiceRestore> {
  const { signal } = context;
  const { targetResource } = context;
  const options = parseRestoreOptions(context.options, targetResource?.id);
  const reader = context.chain.at(-1)?.reader;
  if (reader === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A restore was begun without a backup to restore.');
  const targetOptions = targetOf(options, reader, targetResource);
  await requirePaths(reader, options.paths);
  const fresh = await checkTarget(options, reader, new RestoreTarget(targetOptions));
  signal.throwIfAborted();
  if (!options.inPlace && !options.dryRun) await makeTarget(options.target);
  const stop = new StopFlag();
  const stopWorkers = (): void => stop.stop();
  signal.addEventListener('abort', stopWorkers);
  refuseLostEntries(reader, options);
  const { conflict, dryRun, owner, allowDamaged } = options;
  const umask = process.umask();
  const taskOptions = {
    ...targetOptions,
    conflict,
    dryRun,
    owner,
    allowDamaged,
    umask,
    fresh,
    sizes,
    stop: stop.shared,
  };
  const job = new FilesRestore(context, reader, options, taskOptions);
  try {
    await job.run();
  } catch (error) {
    stopWorkers();
    await job.settle();
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stopWorkers);
  }
  return job.result();
}

function targetOf(
  { inPlace, target }: RestoreOptions,
  reader: SnapshotReader,
  targetResource: Resource | undefined,
): RestoreTargetOptions {
  const { commonParent, paths } = reader.record.serviceData;
  if (!inPlace)
    return {
      folder: toByteString(target),
      strip: typeof commonParent === 'string' ? toByteString(commonParent) : '',
      trusted: [],
    };
  const roots = (Array.isArray(paths) ? paths : []).filter((path) => typeof path === 'string');
  if (targetResource !== undefined) {
    const moved = movedRoots(roots, targetResource);
    return { folder: '', strip: '', moved, trusted: foldersAbove(moved.map(({ to }) => to)) };
  }
  return { folder: '', strip: '', trusted: foldersAbove(roots.map((path) => toByteString(path).replace(/^\/+/, ''))) };
}

class FilesRestore {
  readonly #context: RestoreContext;
  readonly #reader: SnapshotReader;
  readonly #runner: TaskRunner<RestoreTask, RestoreTaskResult>;
  readonly #options: RestoreOptions;
  readonly #sizes: FilesSizes;
  readonly #target: RestoreTarget;
  readonly #counts: RestoreCounts = { files: 0, directories: 0, other: 0, bytes: 0, skipped: 0, overwritten: 0 };
  readonly #directories: DirectoryEnd[] = [];
  readonly #damages = new DamageList();
  readonly #linked = new LinkedFiles();
  readonly #actions: { action: RestoreAction; path: string }[] = [];
  readonly #actionCounts = noActions();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #totalBytes: number;
  #warnings = 0;
  #failure: unknown;
  #lastReport = 0;
  /** Written, of large files that are not complete yet. */
  #bytesUnderWay = 0;

  constructor(
    context: RestoreContext,
    reader: SnapshotReader,
    options: RestoreOptions,
    taskOptions: RestoreTaskOptions,
  ) {
    this.#context = context;
    this.#reader = reader;
    this.#runner = reader.tasks({ module: TASK_MODULE, options: { ...taskOptions } });
    this.#options = options;
    this.#sizes = taskOptions.sizes;
    this.#target = new RestoreTarget(taskOptions);
    this.#totalBytes = reader.record.backup.size;
  }

  async run(): Promise<void> {
    const { paths, dryRun } = this.#options;
    if (paths !== undefined && !dryRun)
      this.#directories.push(...(await makeParentFolders(this.#reader, paths, this.#target)));
    for (const lost of lostEntriesOf(this.#reader, paths)) this.#damages.add(lost);
    for (const wanted of batches(await this.#wantedPages(), PAGES_IN_A_TASK))
      await this.#start(async () => {
        const pages = wanted.map(({ page }) => page);
        const { lostPages } = await this.#page({ kind: 'pages', pages, paths });
        for (const { index, reason } of lostPages) this.#losePage(wanted[index] as WantedPage, reason);
      });
    await this.#finishStarted();
    await this.#restoreLinked();
    if (dryRun) return;
    const directories = this.#directories.sort((a, b) => comparePaths(b.path, a.path));
    for (const batch of batches(directories, DIRECTORIES_IN_A_TASK))
      this.#take(await this.#runner.run({ kind: 'directories', directories: batch }));
  }

  /** Waits for what is still under way after a failure. */
  async settle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  result(): ServiceRestore {
    const { target, inPlace, dryRun } = this.#options;
    if (this.#damages.count > 0) this.#warn(this.#damages.warning());
    const report = {
      ...this.#counts,
      target: this.#place(inPlace ? 'original places' : target),
      dryRun,
      warningCount: this.#warnings,
      ...(dryRun ? { actions: this.#actions } : {}),
      ...this.#damages.report(),
    };
    const done = dryRun ? { plan: this.#plan() } : { restoredBytes: this.#counts.bytes };
    return { report, ...done, ...this.#damages.result() };
  }

  #place(otherwise: string): string {
    const { targetResource } = this.#context;
    return targetResource === undefined ? otherwise : `the paths of the resource ${targetResource.id}`;
  }

  /** Folders that are there already are nobody's concern, and those that are not come with what is in them. */
  #plan(): ServicePlan {
    const of = (action: RestoreAction) =>
      plannedNames(
        this.#actions.filter((told) => told.action === action).map(({ path }) => path),
        this.#actionCounts[action],
      );
    return servicePlan({
      created: of('create'),
      replaced: of('overwrite'),
      skipped: of('skip'),
      blocked: of('conflict'),
      bytes: this.#counts.bytes,
    });
  }

  async #wantedPages(): Promise<WantedPage[]> {
    const pages: WantedPage[] = (await this.#reader.pages()).map((page, index, all) => {
      const until = all[index + 1]?.firstPath;
      return until === undefined ? page : { ...page, until };
    });
    const { paths } = this.#options;
    if (paths === undefined) return pages;
    return pages.filter(({ firstPath, until }) => paths.some((path) => mayHold(firstPath, until, path)));
  }

  async #page(task: Extract<RestoreTask, { kind: 'pages' | 'entries' }>): Promise<RestoreTaskResult> {
    const result = await this.#runner.run(task);
    this.#take(result);
    this.#directories.push(...result.directories);
    this.#linked.add(result.linked);
    for (const entry of result.large) if (await this.#large(entry)) result.made.push(entry.path);
    return result;
  }

  #losePage({ firstPath, until = '', entries }: WantedPage, reason: string): void {
    const path = printable(firstPath);
    this.#damages.add({ path, offset: 0, length: 0, lostUntil: printable(until), lostEntries: entries, reason });
  }

  #large(entry: TreeEntry): Promise<boolean> {
    return restoreLargeFile(entry, {
      reader: this.#reader,
      runner: this.#runner,
      taskBytes: this.#sizes.restoreTask,
      allowDamaged: this.#options.allowDamaged,
      signal: this.#context.signal,
      take: (result) => this.#take(result),
      wrote: (bytes) => {
        this.#bytesUnderWay += bytes;
      },
      lose: (damage) => this.#damages.add(damage),
    });
  }

  /** Names of one file: the first is restored, the others are linked to it. */
  async #restoreLinked(): Promise<void> {
    const names = await this.#linked.restore((entries) => this.#single(entries));
    const unlinkable: ByteString[] = [];
    for (const links of batches(names, LINKS_IN_A_TASK)) {
      await this.#start(async () => {
        const result = await this.#runner.run({ kind: 'links', links });
        this.#take(result);
        unlinkable.push(...result.unlinkable);
      });
    }
    await this.#finishStarted();
    if (unlinkable.length === 0) return;
    await this.#single(this.#linked.alone(unlinkable));
    for (const path of unlinkable)
      this.#warn(`${printable(path)} was restored as a file of its own: it could not be linked to its other names.`);
  }

  async #single(entries: readonly TreeEntry[]): Promise<ReadonlySet<ByteString>> {
    const made = new Set<ByteString>();
    for (const batch of batches(entries, LINKED_FILES_IN_A_TASK))
      await this.#start(async () => {
        const result = await this.#page({ kind: 'entries', entries: batch });
        for (const path of result.made) made.add(path);
      });
    await this.#finishStarted();
    return made;
  }

  async #start(work: () => Promise<void>): Promise<void> {
    this.#context.signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    const running = work().catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#inFlight.add(running);
    void running.finally(() => this.#inFlight.delete(running));
    while (this.#inFlight.size >= this.#reader.concurrency * 3) await Promise.race(this.#inFlight);
  }

  async #finishStarted(): Promise<void> {
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
    this.#context.signal.throwIfAborted();
  }

  #warn(message: string): void {
    this.#warnings++;
    this.#context.warn(message);
  }

  #take(result: RestoreTaskResult): void {
    for (const key of Object.keys(this.#counts) as (keyof RestoreCounts)[]) this.#counts[key] += result.counts[key];
    for (const warning of result.warnings) this.#warn(warning);
    for (const damage of result.damages) this.#damages.add(damage);
    for (const action of Object.keys(this.#actionCounts) as RestoreAction[])
      this.#actionCounts[action] += result.actionCounts[action];
    for (const action of result.actions) if (this.#actions.length < ACTIONS_TOLD) this.#actions.push(action);
    const now = performance.now();
    if (now - this.#lastReport < 200) return;
    this.#lastReport = now;
    const { bytes: complete, files } = this.#counts;
    const bytes = complete + this.#bytesUnderWay;
    this.#context.report({
      percent: this.#totalBytes === 0 ? 0 : Math.min(99, Math.floor((bytes / this.#totalBytes) * 100)),
      phase: 'restore',
      doneBytes: bytes,
      totalBytes: this.#totalBytes,
      doneFiles: files,
    });
  }
}

/** A page of the tree, and the first path of the one behind it. */
interface WantedPage {
  firstPath: ByteString;
  until?: ByteString;
  page: ContentSegment;
  entries: number;
}

/** Whether `path`, or something below it, may be among the entries from `from` up to `until`. */
function mayHold(from: ByteString, until: ByteString | undefined, path: ByteString): boolean {
  const beginsBefore = comparePaths(from, path) <= 0 || isBelow(from, path);
  return beginsBefore && (until === undefined || comparePaths(until, path) > 0 || isBelow(until, path));
}

/** Parts of the tree that a repair found to be lost, and that hold or may hold what is wanted. */
function lostEntriesOf(reader: SnapshotReader, paths: readonly ByteString[] | undefined): RestoreDamage[] {
  const { root } = reader.record;
  const lost = root.kind === 'tree' ? (root.lost ?? []) : [];
  return lost
    .filter(({ from, until }) => paths === undefined || paths.some((path) => mayHold(from, until, path)))
    .map(({ from, until = '', entries }) => ({
      path: printable(from),
      offset: 0,
      length: 0,
      lostUntil: printable(until),
      ...(entries === undefined ? {} : { lostEntries: entries }),
      reason: 'This part of the tree is lost.',
    }));
}

/** @throws HoldfastError `tree-part-lost` (damaged) where a wanted part of the tree is recorded as lost and that is not allowed */
export function refuseLostEntries(
  reader: SnapshotReader,
  { paths, allowDamaged }: Pick<RestoreOptions, 'paths' | 'allowDamaged'>,
): void {
  const [first] = lostEntriesOf(reader, paths);
  if (first === undefined || allowDamaged) return;
  const end = first.lostUntil === '' ? 'the end' : first.lostUntil;
  const message = `All between ${first.path} and ${end} is lost in this backup. Restore other paths, or allow damage to restore the rest.`;
  throw new HoldfastError('damaged', 'tree-part-lost', message, { details: { ...first } });
}

function* batches<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
