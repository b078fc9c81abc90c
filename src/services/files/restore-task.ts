import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { HoldfastError } from '../../core/errors.ts';
import type { PlannedRange, TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { ByteString, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';
import { isBelow, printable } from './byte-path.ts';
import { FileWriter, type FileWriterOptions, type RestoredMetadata } from './file-writer.ts';
import type { Conflict } from './restore-options.ts';
import { RestoreTarget, statusAt } from './restore-target.ts';

export interface RestoreTaskOptions extends FileWriterOptions {
  folder: ByteString;
  strip: ByteString;
  conflict: Conflict;
  dryRun: boolean;
  /** Nothing can be in the way: the target was empty. */
  fresh: boolean;
}

export type RestoreTask =
  | { kind: 'pages'; pages: readonly ContentSegment[]; paths: readonly ByteString[] | undefined }
  | { kind: 'entries'; entries: readonly TreeEntry[] }
  | { kind: 'begin'; entry: TreeEntry }
  | {
      kind: 'ranges';
      path: ByteString;
      temporary: ByteString;
      ranges: readonly { range: PlannedRange; offsets: readonly (readonly [tag: number, offset: number])[] }[];
    }
  | { kind: 'finish'; entry: TreeEntry; temporary: ByteString; replace: boolean }
  | { kind: 'link'; existing: ByteString; path: ByteString; entry: TreeEntry }
  | { kind: 'directories'; directories: readonly DirectoryEnd[] };

export type DirectoryEnd = { path: ByteString } & RestoredMetadata;

export interface RestoreTaskResult {
  counts: RestoreCounts;
  directories: DirectoryEnd[];
  /** Files too large for one task. */
  large: TreeEntry[];
  /** Files with several names, to be made when all else is. */
  linked: TreeEntry[];
  warnings: string[];
  /** What a dry run would do. */
  actions: { action: string; path: string }[];
  /** Of `begin`: where to write, and whether something is replaced; absent if the file is skipped. */
  begun?: { temporary: ByteString; replace: boolean };
}

export interface RestoreCounts {
  files: number;
  directories: number;
  other: number;
  bytes: number;
  skipped: number;
  overwritten: number;
}

/** Files larger than this are written by several tasks. */
const LARGE = 1024 * 1024;

export function createTaskHandler(
  context: TaskContext,
  options: Readonly<Record<string, unknown>>,
): TaskHandler<RestoreTask, RestoreTaskResult> {
  const chosen = options as unknown as RestoreTaskOptions;
  const target = new RestoreTarget(chosen.folder, chosen.strip);
  return { handle: (task) => new RestoreRun(context, chosen, target).run(task) };
}

/** A file whose chunks are on their way. */
interface OpenFile {
  entry: TreeEntry;
  place: ByteString;
  replace: boolean;
  /** Bytes so far, where there is more than one segment. */
  bytes: Buffer | undefined;
  missing: number;
}

class RestoreRun {
  readonly #context: TaskContext;
  readonly #options: RestoreTaskOptions;
  readonly #target: RestoreTarget;
  readonly #writer: FileWriter;
  readonly #result: RestoreTaskResult = {
    counts: { files: 0, directories: 0, other: 0, bytes: 0, skipped: 0, overwritten: 0 },
    directories: [],
    large: [],
    linked: [],
    warnings: [],
    actions: [],
  };

  constructor(context: TaskContext, options: RestoreTaskOptions, target: RestoreTarget) {
    this.#context = context;
    this.#options = options;
    this.#target = target;
    this.#writer = new FileWriter(options);
  }

  async run(task: RestoreTask): Promise<RestoreTaskResult> {
    switch (task.kind) {
      case 'pages':
        await this.#entries(
          (await this.#context.readPages(task.pages))
            .flatMap((page) => page.entries)
            .filter(({ path }) => task.paths === undefined || task.paths.some((wanted) => isBelow(path, wanted))),
          true,
        );
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
      case 'link':
        this.#link(task);
        break;
      case 'directories':
        for (const { path, ...metadata } of task.directories)
          this.#writer.finishDirectory(this.#target.place(path), metadata);
    }
    this.#result.warnings.push(...this.#writer.warnings);
    return this.#result;
  }

  async #entries(entries: readonly TreeEntry[], deferLinked: boolean): Promise<void> {
    const open: OpenFile[] = [];
    for (const entry of entries) {
      if (entry.type === 'directory') this.#directory(entry);
      else if (deferLinked && entry.hardLinkGroup !== undefined) this.#result.linked.push(entry);
      else if (entry.type !== 'file') this.#other(entry);
      else if ((entry.size ?? 0) > LARGE) this.#result.large.push(entry);
      else {
        const file = this.#smallFile(entry);
        if (file !== undefined) open.push(file);
      }
    }
    if (open.length > 0) await this.#fill(open);
  }

  #directory(entry: TreeEntry): void {
    this.#result.counts.directories++;
    if (this.#options.dryRun) return;
    this.#target.ensureFolder(this.#target.place(entry.path));
    const { path, type, mode, uid, gid, modifiedAt, extendedAttributes } = entry;
    this.#result.directories.push({
      path,
      type,
      mode,
      uid,
      gid,
      modifiedAt,
      ...(extendedAttributes === undefined ? {} : { extendedAttributes }),
    });
  }

  #other(entry: TreeEntry): void {
    const place = this.#target.place(entry.path);
    const replace = this.#decide(place, entry);
    if (replace === undefined) return;
    if (entry.type === 'socket') return;
    if (!this.#options.dryRun) {
      this.#target.prepareParent(place);
      if (!this.#writer.makeOther(place, entry, replace)) return;
    }
    this.#result.counts.other++;
    if (replace) this.#result.counts.overwritten++;
  }

  /** Writes a file whose bytes are at hand; otherwise says what it waits for. */
  #smallFile(entry: TreeEntry): OpenFile | undefined {
    const place = this.#target.place(entry.path);
    const replace = this.#decide(place, entry);
    if (replace === undefined) return undefined;
    const { content } = entry;
    if (this.#options.dryRun) {
      this.#countFile(entry, replace);
      return undefined;
    }
    this.#target.prepareParent(place);
    if (content !== undefined && !('inline' in content)) return { entry, place, replace, bytes: undefined, missing: 0 };
    this.#writer.writeFile(place, content?.inline ?? new Uint8Array(), entry, replace);
    this.#countFile(entry, replace);
    return undefined;
  }

  async #fill(open: readonly OpenFile[]): Promise<void> {
    const wanted: { id: Uint8Array; tag: number }[] = [];
    const places: { file: OpenFile; offset: number }[] = [];
    for (const file of open) {
      let offset = 0;
      let segments = 0;
      for await (const { id, length } of this.#context.segments(file.entry.content ?? { segments: [] })) {
        if (id !== null) {
          wanted.push({ id, tag: places.length });
          places.push({ file, offset });
          file.missing++;
        }
        offset += length;
        segments++;
      }
      if (segments > 1 || file.missing === 0) file.bytes = Buffer.alloc(offset);
      if (file.missing === 0) this.#complete(file, file.bytes ?? new Uint8Array());
    }
    for (const range of await this.#context.plan(wanted)) {
      await this.#read(range, places[range.tags[0] ?? 0]?.file.entry.path ?? '', (tag, bytes) => {
        const { file, offset } = places[tag] as { file: OpenFile; offset: number };
        file.missing--;
        if (file.bytes === undefined) this.#complete(file, bytes);
        else {
          file.bytes.set(bytes, offset);
          if (file.missing === 0) this.#complete(file, file.bytes);
        }
      });
    }
  }

  #complete(file: OpenFile, bytes: Uint8Array): void {
    this.#writer.writeFile(file.place, bytes, file.entry, file.replace);
    file.bytes = undefined;
    this.#countFile(file.entry, file.replace);
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

  async #ranges(task: Extract<RestoreTask, { kind: 'ranges' }>): Promise<void> {
    const descriptor = openSync(Buffer.from(task.temporary, 'latin1'), constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      for (const { range, offsets } of task.ranges) {
        const offsetOf = new Map(offsets);
        await this.#read(range, task.path, (tag, bytes) => {
          let position = offsetOf.get(tag) ?? 0;
          for (let done = 0; done < bytes.length; ) {
            const written = writeSync(descriptor, bytes, done, bytes.length - done, position);
            done += written;
            position += written;
          }
        });
      }
    } finally {
      closeSync(descriptor);
    }
  }

  async #read(range: PlannedRange, path: ByteString, take: (tag: number, bytes: Uint8Array) => void): Promise<void> {
    try {
      await this.#context.source.read(range, take);
    } catch (error) {
      if (!(error instanceof HoldfastError) || (error.kind !== 'damaged' && error.kind !== 'not-found')) throw error;
      throw new HoldfastError('damaged', error.code, `${printable(path)} cannot be restored: ${error.message}`, {
        cause: error,
        details: { ...error.details, path: printable(path) },
      });
    }
  }

  #link({ existing, path, entry }: Extract<RestoreTask, { kind: 'link' }>): void {
    const place = this.#target.place(path);
    const replace = this.#decide(place, entry);
    if (replace === undefined) return;
    if (!this.#options.dryRun) {
      this.#target.prepareParent(place);
      this.#writer.link(this.#target.place(existing), place, replace);
    }
    this.#countFile({ ...entry, size: 0 }, replace);
  }

  /** @returns whether something is replaced; undefined to leave what is there */
  #decide(place: ByteString, entry: TreeEntry): boolean | undefined {
    const { conflict, dryRun, fresh } = this.#options;
    const existing = fresh ? undefined : statusAt(place);
    if (existing === undefined) {
      if (dryRun) this.#act('create', entry.path);
      return false;
    }
    if (conflict === 'skip' || (conflict === 'newer' && existing.mtimeNs >= entry.modifiedAt)) {
      this.#result.counts.skipped++;
      if (dryRun) this.#act('skip', entry.path);
      return undefined;
    }
    if (conflict === 'fail' && !dryRun) {
      throw new HoldfastError(
        'conflict',
        'file-exists',
        `${printable(place.slice(1))} exists already. Choose \`skip\`, \`overwrite\` or \`newer\` for such files, or restore into an empty folder.`,
      );
    }
    if (existing.isDirectory()) {
      throw new HoldfastError(
        'conflict',
        'folder-in-the-way',
        `${printable(place.slice(1))} is a folder, where the backup has a ${entry.type}. Move it away, or restore into an empty folder.`,
      );
    }
    if (dryRun) this.#act(conflict === 'fail' ? 'conflict' : 'overwrite', entry.path);
    return true;
  }

  #act(action: string, path: ByteString): void {
    if (this.#result.actions.length < ACTIONS_TOLD) this.#result.actions.push({ action, path: printable(path) });
  }

  #countFile(entry: TreeEntry, replaced: boolean): void {
    this.#result.counts.files++;
    this.#result.counts.bytes += entry.size ?? 0;
    if (replaced) this.#result.counts.overwritten++;
  }
}

const ACTIONS_TOLD = 1000;
