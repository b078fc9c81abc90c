import type { TaskContext, TaskHandler, TreePageEntries } from '../../core/ports/repository.ts';
import type { ByteString, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';
import { DirectFile } from '../../process/direct-file.ts';
import { PageCacheCost } from '../../process/page-cache-cost.ts';
import { isDamage } from './base-entries.ts';
import { isBelow, printable } from './byte-path.ts';
import { conflictAt, decide } from './conflict-decision.ts';
import { FileFilling, type WantedFile } from './file-filling.ts';
import { FileWriter, type FileWriterOptions } from './file-writer.ts';
import type { Conflict } from './restore-options.ts';
import { addAction, type DirectoryEnd, directoryEnd, emptyResult, type RestoreTaskResult } from './restore-result.ts';
import { RestoreTarget, type RestoreTargetOptions, statusAt } from './restore-target.ts';
import type { FilesSizes } from './sizes.ts';
import { StopFlag } from './stop-flag.ts';
import { namingFile } from './unreadable-content.ts';

export interface RestoreTaskOptions extends FileWriterOptions, RestoreTargetOptions {
  conflict: Conflict;
  dryRun: boolean;
  allowDamaged: boolean;
  /** Nothing can be in the way: the target was empty. */
  fresh: boolean;
  sizes: FilesSizes;
  /** A stop flag's memory. */
  stop: SharedArrayBuffer;
}

export type RestoreTask =
  | { kind: 'pages'; pages: readonly ContentSegment[]; paths: readonly ByteString[] | undefined }
  /** Files with several names, one of each. */
  | { kind: 'entries'; entries: readonly TreeEntry[] }
  | { kind: 'begin'; entry: TreeEntry }
  /** A part of a large file. */
  | { kind: 'ranges'; path: ByteString; temporary: ByteString; chunks: readonly FileChunk[] }
  | { kind: 'finish'; entry: TreeEntry; temporary: ByteString; replace: boolean }
  | { kind: 'links'; links: readonly FurtherName[] }
  | { kind: 'directories'; directories: readonly DirectoryEnd[] };

/** A chunk of a file; its tag is its offset in it. */
export interface FileChunk {
  id: Uint8Array;
  tag: number;
  length: number;
}

/** One more name for a file that is there. */
export interface FurtherName extends Pick<TreeEntry, 'path' | 'type' | 'modifiedAt'> {
  existing: ByteString;
}

export function createTaskHandler(
  context: TaskContext,
  options: Readonly<Record<string, unknown>>,
): TaskHandler<RestoreTask, RestoreTaskResult> {
  const chosen = options as unknown as RestoreTaskOptions;
  const target = new RestoreTarget(chosen);
  const stop = new StopFlag(chosen.stop);
  return { handle: (task) => new RestoreRun(context, chosen, target, stop).run(task) };
}

class RestoreRun {
  readonly #context: TaskContext;
  readonly #options: RestoreTaskOptions;
  readonly #target: RestoreTarget;
  readonly #stop: StopFlag;
  readonly #writer: FileWriter;
  readonly #filling: FileFilling;
  readonly #result = emptyResult();

  constructor(context: TaskContext, options: RestoreTaskOptions, target: RestoreTarget, stop: StopFlag) {
    this.#context = context;
    this.#options = options;
    this.#target = target;
    this.#stop = stop;
    this.#writer = new FileWriter(options);
    this.#filling = new FileFilling(
      context,
      stop,
      (file, bytes) => {
        this.#writer.writeFile(file.place, bytes, file.entry, file.replace);
        this.#countFile(file.entry, file.replace);
      },
      options.allowDamaged ? (damage) => this.#result.damages.push(damage) : undefined,
    );
  }

  async run(task: RestoreTask): Promise<RestoreTaskResult> {
    this.#stop.throwIfStopped();
    switch (task.kind) {
      case 'pages':
        await this.#entries(await this.#wantedEntries(task), true);
        this.#result.made = [];
        break;
      case 'entries':
        await this.#entries(task.entries, false);
        break;
      case 'begin':
        this.#begin(task.entry);
        break;
      case 'ranges':
        await this.#ranges(task);
        break;
      case 'finish':
        this.#writer.finishFile(task.temporary, this.#target.place(task.entry.path), task.entry, task.replace);
        this.#countFile(task.entry, task.replace);
        break;
      case 'links':
        for (const link of task.links) this.#link(link);
        break;
      case 'directories':
        for (const { path, ...metadata } of task.directories)
          this.#writer.finishDirectory(this.#target.place(path), metadata);
    }
    this.#result.warnings.push(...this.#writer.warnings);
    return this.#result;
  }

  async #wantedEntries({ pages, paths }: Extract<RestoreTask, { kind: 'pages' }>): Promise<TreeEntry[]> {
    const entries = (await this.#readPages(pages)).flatMap((page) => page.entries);
    return paths === undefined ? entries : entries.filter(({ path }) => paths.some((wanted) => isBelow(path, wanted)));
  }

  /** All pages, or where damage is allowed, those that can be read. */
  async #readPages(pages: readonly ContentSegment[]): Promise<TreePageEntries[]> {
    try {
      return await this.#context.readPages(pages);
    } catch (error) {
      if (!this.#options.allowDamaged || !isDamage(error)) throw error;
    }
    const read: TreePageEntries[] = [];
    for (const [index, page] of pages.entries()) {
      try {
        read.push(...(await this.#context.readPages([page])));
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.#result.lostPages.push({ index, reason: error.message });
      }
    }
    return read;
  }

  async #entries(entries: readonly TreeEntry[], deferLinked: boolean): Promise<void> {
    for (const entry of entries) {
      this.#stop.throwIfStopped();
      if (entry.type === 'directory') this.#directory(entry);
      else if (deferLinked && entry.hardLinkGroup !== undefined) this.#result.linked.push(entry);
      else if (entry.type !== 'file') this.#other(entry);
      else if ((entry.size ?? 0) > this.#options.sizes.small) this.#result.large.push(entry);
      else {
        const file = this.#smallFile(entry);
        if (file !== undefined) await this.#filling.add(file);
      }
    }
    await this.#filling.finish();
  }

  #directory(entry: TreeEntry): void {
    const place = this.#target.place(entry.path);
    this.#result.counts.directories++;
    if (this.#options.dryRun) {
      const existing = this.#options.fresh ? undefined : statusAt(place);
      if (existing !== undefined && !existing.isDirectory()) addAction(this.#result, 'conflict', entry.path);
      return;
    }
    this.#target.ensureFolder(place);
    this.#result.directories.push(directoryEnd(entry));
  }

  #other(entry: TreeEntry): void {
    if (entry.type === 'socket') return;
    const place = this.#target.place(entry.path);
    const replace = this.#decide(place, entry);
    if (replace === undefined) return;
    if (!this.#options.dryRun) {
      this.#target.prepareParent(place);
      if (!this.#writer.makeOther(place, entry, replace)) return;
    }
    this.#count(entry.path, 'other', replace);
  }

  /** Writes a file whose bytes are at hand; otherwise says what it waits for. */
  #smallFile(entry: TreeEntry): WantedFile | undefined {
    const place = this.#target.place(entry.path);
    const replace = this.#decide(place, entry);
    if (replace === undefined) return undefined;
    const { content } = entry;
    if (this.#options.dryRun) {
      this.#countFile(entry, replace);
      return undefined;
    }
    this.#target.prepareParent(place);
    if (content !== undefined && !('inline' in content)) return { entry, place, replace };
    this.#writer.writeFile(place, { bytes: content?.inline ?? NOTHING }, entry, replace);
    this.#countFile(entry, replace);
    return undefined;
  }

  #begin(entry: TreeEntry): void {
    const place = this.#target.place(entry.path);
    const replace = this.#decide(place, entry);
    if (replace === undefined) return;
    if (this.#options.dryRun) {
      this.#countFile(entry, replace);
      return;
    }
    this.#target.prepareParent(place);
    this.#result.begun = { temporary: this.#writer.beginFile(place, entry.size ?? 0), replace };
  }

  async #ranges({ path, temporary, chunks }: Extract<RestoreTask, { kind: 'ranges' }>): Promise<void> {
    const file = DirectFile.open(Buffer.from(temporary, 'latin1'), pageCache);
    const lengths = new Map(chunks.map(({ tag, length }) => [tag, length]));
    try {
      await this.#context.readDespiteDamage(
        chunks,
        (offset, bytes) => {
          this.#stop.throwIfStopped();
          file.write(bytes, offset);
        },
        (offset, reason) => {
          const range = { offset, length: lengths.get(offset) ?? 0 };
          if (!this.#options.allowDamaged) throw namingFile(reason, path, range);
          this.#result.damages.push({ path: printable(path), ...range, reason: reason.message });
        },
      );
      await file.finish();
    } finally {
      await file.close();
    }
  }

  #link({ existing, ...entry }: FurtherName): void {
    const place = this.#target.place(entry.path);
    const replace = this.#decide(place, entry);
    if (replace === undefined) return;
    if (!this.#options.dryRun) {
      this.#target.prepareParent(place);
      if (!this.#writer.link(this.#target.place(existing), place, replace)) {
        this.#result.unlinkable.push(entry.path);
        return;
      }
    }
    this.#count(entry.path, entry.type === 'file' ? 'files' : 'other', replace);
  }

  /** @returns whether something is replaced; undefined to leave what is there */
  #decide(place: ByteString, entry: Pick<TreeEntry, 'path' | 'type' | 'modifiedAt'>): boolean | undefined {
    const { conflict, dryRun, fresh } = this.#options;
    const action = fresh ? 'create' : decide(place, entry, conflict);
    if (dryRun) addAction(this.#result, action, entry.path);
    switch (action) {
      case 'create':
        return false;
      case 'overwrite':
        return true;
      case 'skip':
        this.#result.counts.skipped++;
        return undefined;
      case 'conflict':
        if (!dryRun) throw conflictAt(place, entry, conflict);
        return undefined;
    }
  }

  #countFile(entry: TreeEntry, replaced: boolean): void {
    this.#result.counts.bytes += entry.size ?? 0;
    this.#count(entry.path, 'files', replaced);
  }

  #count(path: ByteString, kind: 'files' | 'other', replaced: boolean): void {
    this.#result.counts[kind]++;
    if (replaced) this.#result.counts.overwritten++;
    this.#result.made.push(path);
  }
}

const NOTHING = new Uint8Array();
/** Of this thread. */
const pageCache = new PageCacheCost();
