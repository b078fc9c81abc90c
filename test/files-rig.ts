import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Backup, BackupType } from '../src/core/backup.ts';
import type { Progress } from '../src/core/operation.ts';
import type {
  EncodedEntries,
  Repository,
  SnapshotReader,
  SnapshotWriter,
  TaskModuleReference,
  TaskRunner,
  WrittenCounts,
} from '../src/core/ports/repository.ts';
import type { Service, ServiceBackup } from '../src/core/ports/service.ts';
import type { Resource } from '../src/core/resource.ts';
import type { SnapshotRecord } from '../src/core/snapshot-record.ts';
import { comparePaths, type TreeEntry } from '../src/core/tree-entry.ts';
import type { BackupTask } from '../src/services/files/backup-task.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import type { RestoreTask } from '../src/services/files/restore-task.ts';
import { TemporaryRepository } from './temporary-repository.ts';

export interface MadeBackup {
  backup: Backup;
  made: ServiceBackup;
  warnings: string[];
}

export interface MadeRestore {
  report: Record<string, unknown>;
  warnings: string[];
}

export interface BackupChoice {
  base?: Backup;
  encrypt?: boolean;
  signal?: AbortSignal;
  service?: Service;
  repository?: Repository;
  /** Is called before each task is handed to the worker threads: changes made here come after the walk or between two readings. */
  beforeTask?: (task: BackupTask) => void;
  report?: (progress: Progress) => void;
}

export interface RestoreChoice {
  signal?: AbortSignal;
  service?: Service;
  repository?: Repository;
  /** Is called before each task is handed to the worker threads. */
  beforeTask?: (task: RestoreTask) => void;
  report?: (progress: Progress) => void;
}

/** The real files service over the real engine, with folders for what is backed up and restored. */
export class FilesRig {
  readonly temporary: TemporaryRepository;
  readonly folder: string;
  readonly service: Service = createFilesService();

  private constructor(temporary: TemporaryRepository, folder: string) {
    this.temporary = temporary;
    this.folder = folder;
  }

  static async create(): Promise<FilesRig> {
    return new FilesRig(await TemporaryRepository.create(), await mkdtemp(path.join(tmpdir(), 'holdfast-files-')));
  }

  get repository(): Repository {
    return this.temporary.repository;
  }

  /** A new folder, empty. */
  async newFolder(name: string): Promise<string> {
    const folder = path.join(this.folder, name);
    await mkdir(folder, { recursive: true });
    return folder;
  }

  async backUp(configuration: Readonly<Record<string, unknown>>, choice: BackupChoice = {}): Promise<MadeBackup> {
    const service = choice.service ?? this.service;
    const encrypt = choice.encrypt ?? true;
    const signal = choice.signal ?? new AbortController().signal;
    const warnings: string[] = [];
    const repository = choice.repository ?? this.repository;
    const base = choice.base === undefined ? undefined : await repository.openSnapshot(choice.base.id);
    const writer = await repository.beginSnapshot({ encrypt, signal });
    try {
      const made = await service.backup({
        resource: { configuration: service.parseConfiguration(configuration) } as unknown as Resource,
        type: base === undefined ? 'full' : 'incremental',
        chain: base === undefined || choice.base === undefined ? [] : [{ backup: choice.base, reader: base }],
        writer: choice.beforeTask === undefined ? writer : watched(writer, choice.beforeTask),
        signal,
        report: choice.report ?? (() => undefined),
        warn: (message) => warnings.push(message),
      });
      const record = await writer.commit(treeRecord(writer, made, encrypt));
      return { backup: record.backup, made, warnings };
    } catch (error) {
      await writer.abort();
      throw error;
    } finally {
      await base?.close();
    }
  }

  async restore(
    backup: Backup,
    options: Readonly<Record<string, unknown>>,
    choice: RestoreChoice = {},
  ): Promise<MadeRestore> {
    const reader = await (choice.repository ?? this.repository).openSnapshot(backup.id);
    const warnings: string[] = [];
    try {
      const { report } = await (choice.service ?? this.service).restore({
        backup,
        chain: [
          { backup, reader: choice.beforeTask === undefined ? reader : watchedReader(reader, choice.beforeTask) },
        ],
        options,
        signal: choice.signal ?? new AbortController().signal,
        report: choice.report ?? (() => undefined),
        warn: (message) => warnings.push(message),
      });
      return { report: { ...report }, warnings };
    } finally {
      await reader.close();
    }
  }

  /** Commits a tree of any entries, which come in their order; they need no files. */
  async commitTree(entries: readonly TreeEntry[], commonParent = ''): Promise<Backup> {
    const writer = await this.repository.beginSnapshot({ encrypt: true });
    const module = new URL('./files-encoding-task.ts', import.meta.url).href;
    const runner = writer.tasks<readonly TreeEntry[], EncodedEntries>({ module, options: {} });
    const tree = writer.beginTree();
    await tree.append(await runner.run([...entries].sort((a, b) => comparePaths(a.path, b.path))));
    const made = {
      type: 'full',
      size: 0,
      checksum: 'sha256:',
      root: await tree.finish(),
      serviceData: { commonParent },
    };
    return (await writer.commit(treeRecord(writer, { ...made, type: 'full' }))).backup;
  }

  async entries(backup: Backup): Promise<TreeEntry[]> {
    const reader = await this.repository.openSnapshot(backup.id);
    try {
      const found: TreeEntry[] = [];
      for await (const entry of reader.entries()) found.push(entry);
      return found;
    } finally {
      await reader.close();
    }
  }

  async remove(): Promise<void> {
    await this.temporary.remove();
    // Only root can empty folders that nobody may write to.
    if (process.geteuid?.() !== 0) execFileSync('chmod', ['-R', 'u+rwX', this.folder]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

function watched(writer: SnapshotWriter, beforeTask: (task: BackupTask) => void): SnapshotWriter {
  return {
    snapshotId: writer.snapshotId,
    concurrency: writer.concurrency,
    writeStream: (source, options) => writer.writeStream(source, options),
    tasks: <Task, Result>(module: TaskModuleReference) =>
      watchedRunner<Task, Result>(writer.tasks(module), (task) => beforeTask(task as BackupTask)),
    beginTree: () => writer.beginTree(),
    storeSegments: (segments) => writer.storeSegments(segments),
    counts: () => writer.counts(),
    commit: (complete) => writer.commit(complete),
    abort: () => writer.abort(),
  };
}

function watchedReader(reader: SnapshotReader, beforeTask: (task: RestoreTask) => void): SnapshotReader {
  return {
    record: reader.record,
    concurrency: reader.concurrency,
    read: (content, range) => reader.read(content, range),
    entries: (options) => reader.entries(options),
    pages: () => reader.pages(),
    segments: (content) => reader.segments(content),
    plan: (wanted) => reader.plan(wanted),
    tasks: <Task, Result>(module: TaskModuleReference) =>
      watchedRunner<Task, Result>(reader.tasks(module), (task) => beforeTask(task as RestoreTask)),
    close: () => reader.close(),
  };
}

function watchedRunner<Task, Result>(
  runner: TaskRunner<Task, Result>,
  beforeTask: (task: Task) => void,
): TaskRunner<Task, Result> {
  return {
    run(task, transfer) {
      beforeTask(task);
      return runner.run(task, transfer);
    },
  };
}

/** Waits until a change of files made so far would show in their times. */
export function clockTick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 80));
}

/** The record of a tree as the backup manager writes it, as far as restores look at it. */
export function treeRecord(
  writer: SnapshotWriter,
  made: Pick<ServiceBackup, 'root' | 'size' | 'checksum' | 'serviceData'> & { type: BackupType },
  encrypted = true,
): (counts: WrittenCounts) => SnapshotRecord {
  const now = new Date().toISOString();
  return (counts) => ({
    backup: {
      id: writer.snapshotId,
      resourceId: 'resource',
      resourceType: 'files',
      service: 'files',
      type: made.type,
      status: 'completed',
      contentKind: 'tree',
      size: made.size,
      compressedSize: counts.compressedBytes,
      encrypted,
      checksum: made.checksum,
      chainLength: 0,
      metadata: { tags: {} },
      warnings: [],
      warningCount: 0,
      statistics: {
        sourceBytes: made.size,
        readBytes: made.size,
        newBytes: counts.newBytes,
        storedBytes: counts.storedBytes,
        durationMilliseconds: 0,
      },
      repositoryId: 'default',
      createdAt: now,
      completedAt: now,
      held: false,
    },
    root: made.root,
    serviceData: made.serviceData,
  });
}
