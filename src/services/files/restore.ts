import { mkdir, readdir } from 'node:fs/promises';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { SnapshotReader, TaskRunner } from '../../core/ports/repository.ts';
import type { RestoreContext, ServiceRestore } from '../../core/ports/service.ts';
import { type ByteString, type ContentSegment, comparePaths, type TreeEntry } from '../../core/tree-entry.ts';
import { isBelow, printable, toByteString } from './byte-path.ts';
import { parseRestoreOptions, type RestoreOptions } from './restore-options.ts';
import { RestoreTarget, statusAt } from './restore-target.ts';
import type {
  DirectoryEnd,
  RestoreCounts,
  RestoreTask,
  RestoreTaskOptions,
  RestoreTaskResult,
} from './restore-task.ts';

const TASK_MODULE = new URL('./restore-task.ts', import.meta.url).href;
/** Plain bytes of a large file that one task writes. */
const TASK_BYTES = 32 * 1024 * 1024;
const DIRECTORIES_IN_A_TASK = 500;
const PAGES_IN_A_TASK = 8;

/** Restores a tree, whole or by path. Pages of it go to worker threads, which read, verify and write by themselves. */
export async function restoreFiles(context: RestoreContext): Promise<ServiceRestore> {
  const options = parseRestoreOptions(context.options);
  const reader = context.chain.at(-1)?.reader;
  if (reader === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A restore was begun without a backup to restore.');
  const strip = options.inPlace ? '' : stripOf(reader);
  const folder = options.inPlace ? '' : toByteString(options.target);
  const fresh = await checkTarget(options, reader, new RestoreTarget(folder, strip));
  if (!options.inPlace && !options.dryRun) await mkdir(options.target, { recursive: true });
  const taskOptions: RestoreTaskOptions = {
    folder,
    strip,
    conflict: options.conflict,
    dryRun: options.dryRun,
    owner: options.owner,
    umask: process.umask(),
    fresh,
  };
  const runner = reader.tasks<RestoreTask, RestoreTaskResult>({ module: TASK_MODULE, options: { ...taskOptions } });
  const job = new FilesRestore(context, reader, runner, options);
  await job.run();
  return { report: job.report() };
}

function stripOf(reader: SnapshotReader): ByteString {
  const { commonParent } = reader.record.serviceData;
  return typeof commonParent === 'string' ? toByteString(commonParent) : '';
}

/** Refuses before anything is written. @returns whether the target is sure to be empty */
async function checkTarget(options: RestoreOptions, reader: SnapshotReader, target: RestoreTarget): Promise<boolean> {
  if (!options.inPlace) {
    const names = await readdir(options.target === '' ? '/' : options.target).catch((error: unknown) => {
      const code = systemErrorCode(error);
      if (code === 'ENOENT') return [];
      if (code === 'ENOTDIR')
        throw new HoldfastError(
          'conflict',
          'target-not-a-folder',
          `${options.target} is not a folder. Restore into one.`,
          { cause: error },
        );
      throw error;
    });
    if (names.length === 0) return true;
    if (options.conflict !== 'fail' || options.dryRun) return false;
    throw new HoldfastError(
      'conflict',
      'target-not-empty',
      `${options.target} is not empty. Restore into an empty folder, or say what to do with files that are there: \`skip\`, \`overwrite\` or \`newer\`.`,
    );
  }
  if (options.conflict !== 'fail' || options.dryRun) return false;
  const paths = options.paths;
  for await (const entry of reader.entries(paths === undefined ? {} : { paths })) {
    if (entry.type !== 'directory' && statusAt(target.place(entry.path)) !== undefined) {
      throw new HoldfastError(
        'conflict',
        'file-exists',
        `${printable(entry.path)} exists already, so nothing was restored. Choose \`skip\`, \`overwrite\` or \`newer\` for such files.`,
      );
    }
  }
  return false;
}

class FilesRestore {
  readonly #context: RestoreContext;
  readonly #reader: SnapshotReader;
  readonly #runner: TaskRunner<RestoreTask, RestoreTaskResult>;
  readonly #options: RestoreOptions;
  readonly #counts: RestoreCounts = { files: 0, directories: 0, other: 0, bytes: 0, skipped: 0, overwritten: 0 };
  readonly #directories: DirectoryEnd[] = [];
  readonly #linked: TreeEntry[] = [];
  readonly #actions: { action: string; path: string }[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  readonly #totalBytes: number;
  #warnings = 0;
  #failure: unknown;
  #lastReport = 0;

  constructor(
    context: RestoreContext,
    reader: SnapshotReader,
    runner: TaskRunner<RestoreTask, RestoreTaskResult>,
    options: RestoreOptions,
  ) {
    this.#context = context;
    this.#reader = reader;
    this.#runner = runner;
    this.#options = options;
    this.#totalBytes = reader.record.backup.size;
  }

  async run(): Promise<void> {
    const { paths } = this.#options;
    for (const pages of batches(await this.#wantedPages(), PAGES_IN_A_TASK))
      await this.#start(() => this.#page({ kind: 'pages', pages, paths }));
    await this.#settle();
    await this.#restoreLinked();
    if (this.#options.dryRun) return;
    for (const batch of batches(
      this.#directories.sort((a, b) => comparePaths(b.path, a.path)),
      DIRECTORIES_IN_A_TASK,
    ))
      this.#take(await this.#runner.run({ kind: 'directories', directories: batch }));
  }

  report(): Record<string, unknown> {
    const { target, inPlace, dryRun } = this.#options;
    return {
      ...this.#counts,
      target: inPlace ? 'original places' : target,
      dryRun,
      warningCount: this.#warnings,
      ...(dryRun ? { actions: this.#actions } : {}),
    };
  }

  async #wantedPages(): Promise<ContentSegment[]> {
    const pages = await this.#reader.pages();
    const { paths } = this.#options;
    if (paths === undefined) return pages.map(({ page }) => page);
    const wanted = pages.filter(({ firstPath }, index) => {
      const next = pages[index + 1]?.firstPath;
      return paths.some(
        (path) =>
          (comparePaths(firstPath, path) <= 0 || isBelow(firstPath, path)) &&
          (next === undefined || comparePaths(next, path) > 0 || isBelow(next, path)),
      );
    });
    return wanted.map(({ page }) => page);
  }

  async #page(task: Extract<RestoreTask, { kind: 'pages' | 'entries' }>): Promise<void> {
    const result = await this.#runner.run(task);
    this.#take(result);
    this.#directories.push(...result.directories);
    this.#linked.push(...result.linked);
    for (const entry of result.large) await this.#large(entry);
  }

  /** Writes a large file with several tasks at once; it gets its name when all of it is there. */
  async #large(entry: TreeEntry): Promise<void> {
    const begin = await this.#runner.run({ kind: 'begin', entry });
    this.#take(begin);
    if (begin.begun === undefined) return;
    const { temporary, replace } = begin.begun;
    const tasks: Promise<RestoreTaskResult>[] = [];
    for await (const wanted of this.#windows(entry)) {
      const offsets = new Map(wanted.map(({ tag }) => [tag, tag]));
      const ranges = await this.#reader.plan(wanted);
      const task = this.#runner.run({
        kind: 'ranges',
        path: entry.path,
        temporary,
        ranges: ranges.map((range) => ({
          range,
          offsets: range.tags.map((tag) => [tag, offsets.get(tag) ?? 0] as const),
        })),
      });
      task.catch(() => undefined);
      tasks.push(task);
      if (tasks.length >= this.#reader.concurrency * 2) await tasks.shift();
    }
    await Promise.all(tasks);
    this.#take(await this.#runner.run({ kind: 'finish', entry, temporary, replace }));
  }

  /** The chunks of a file in groups of some bytes; a chunk's tag is its offset in the file. */
  async *#windows(entry: TreeEntry): AsyncGenerator<{ id: Uint8Array; tag: number }[]> {
    let window: { id: Uint8Array; tag: number }[] = [];
    let bytes = 0;
    let offset = 0;
    for await (const { id, length } of this.#reader.segments(entry.content ?? { segments: [] })) {
      this.#context.signal.throwIfAborted();
      if (id !== null) {
        window.push({ id, tag: offset });
        bytes += length;
      }
      offset += length;
      if (bytes < TASK_BYTES) continue;
      yield window;
      window = [];
      bytes = 0;
    }
    if (window.length > 0) yield window;
  }

  /** Names of one file: the first is restored, the others are linked to it. */
  async #restoreLinked(): Promise<void> {
    const first = new Map<string, TreeEntry>();
    const others: TreeEntry[] = [];
    for (const entry of this.#linked.sort((a, b) => comparePaths(a.path, b.path))) {
      const group = entry.hardLinkGroup ?? entry.path;
      if (first.has(group)) others.push(entry);
      else first.set(group, entry);
    }
    for (const batch of batches([...first.values()], 64))
      await this.#start(() => this.#page({ kind: 'entries', entries: batch }));
    await this.#settle();
    for (const entry of others) {
      const existing = first.get(entry.hardLinkGroup ?? '')?.path ?? entry.path;
      this.#take(await this.#runner.run({ kind: 'link', existing, path: entry.path, entry }));
    }
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

  async #settle(): Promise<void> {
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
    this.#context.signal.throwIfAborted();
  }

  #take(result: RestoreTaskResult): void {
    for (const key of Object.keys(this.#counts) as (keyof RestoreCounts)[]) this.#counts[key] += result.counts[key];
    for (const warning of result.warnings) this.#context.warn(warning);
    this.#warnings += result.warnings.length;
    for (const action of result.actions) if (this.#actions.length < 1000) this.#actions.push(action);
    const now = performance.now();
    if (now - this.#lastReport < 200) return;
    this.#lastReport = now;
    const { bytes, files } = this.#counts;
    this.#context.report({
      percent: this.#totalBytes === 0 ? 0 : Math.min(99, Math.floor((bytes / this.#totalBytes) * 100)),
      phase: 'restore',
      doneBytes: bytes,
      totalBytes: this.#totalBytes,
      doneFiles: files,
    });
  }
}

function* batches<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
