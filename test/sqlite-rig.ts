import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import type { RestoreOperation } from '../src/core/application.ts';
import type { Backup } from '../src/core/backup.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { Progress } from '../src/core/operation.ts';
import type { SnapshotWriter } from '../src/core/ports/repository.ts';
import type { ServiceBackup, ServiceRestore } from '../src/core/ports/service.ts';
import type { Resource } from '../src/core/resource.ts';
import { createSqliteService } from '../src/services/sqlite/sqlite-service.ts';
import { type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';

/** Much longer than anything here takes on a machine that does other work as well; milliseconds. */
const PATIENCE = 300_000;

/** The real SQLite service under the real managers and engine, with a folder for databases. */
export class SqliteRig {
  readonly managed: ManagedApplication;
  readonly folder: string;
  /** Where private copies are made. */
  readonly temporary: string;
  readonly #remove: () => Promise<void>;
  #backups = 0;

  private constructor(managed: ManagedApplication, folder: string, remove: () => Promise<void>) {
    this.managed = managed;
    this.folder = folder;
    this.temporary = path.join(folder, 'temporary');
    this.#remove = remove;
  }

  static async create(): Promise<SqliteRig> {
    const { folder, remove } = await temporaryFolder();
    const managed = await openManagedApplication(folder, { services: [createSqliteService()] });
    const rig = new SqliteRig(managed, path.join(folder, 'databases'), remove);
    await mkdir(rig.temporary, { recursive: true });
    return rig;
  }

  place(name: string): string {
    return path.join(this.folder, name);
  }

  /** @throws HoldfastError as the operation ended with */
  async backUp(file: string, configuration: Readonly<Record<string, unknown>> = {}): Promise<Backup> {
    const { resources, backups, operations } = this.managed.application;
    const id = `database-${path.basename(file)}-${this.#backups++}`;
    await resources.put({
      id,
      service: 'sqlite',
      configuration: { path: file, temporaryFolder: this.temporary, ...configuration },
    });
    const started = await backups.start({ resourceId: id, createdBy: 'test' });
    const { status, error, result } = await operations.wait(started.id, PATIENCE);
    if (error !== undefined) throw new HoldfastError(error.kind ?? 'internal', error.code, error.message);
    assert.equal(status, 'completed', JSON.stringify(result));
    const { items } = await backups.list({ resourceId: id }, { limit: 1 });
    return items[0]!;
  }

  /** The service alone, whose result a test can change before it is stored. */
  async backUpDirectly(
    configuration: Readonly<Record<string, unknown>>,
    options: { signal?: AbortSignal; report?: (progress: Progress) => void } = {},
  ): Promise<{ made: ServiceBackup; writer: SnapshotWriter }> {
    const service = createSqliteService();
    const signal = options.signal ?? new AbortController().signal;
    const writer = await this.managed.repository.beginSnapshot({ encrypt: true, signal });
    const resource = {
      configuration: service.parseConfiguration({ temporaryFolder: this.temporary, ...configuration }),
    } as unknown as Resource;
    try {
      const made = await service.backup({
        resource,
        type: 'full',
        chain: [],
        writer,
        signal,
        report: options.report ?? (() => undefined),
        warn: () => undefined,
      });
      return { made, writer };
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /** What a backup says of its database. */
  async recorded(backup: Backup): Promise<Readonly<Record<string, unknown>>> {
    const reader = await this.managed.repository.openSnapshot(backup.id);
    try {
      return reader.record.serviceData;
    } finally {
      await reader.close();
    }
  }

  /** @throws HoldfastError as the operation ended with */
  async restore(backup: Backup, options: Readonly<Record<string, unknown>>): Promise<RestoreOperation> {
    const { restores, operations } = this.managed.application;
    const { operation } = await restores.restore({ backupId: backup.id, createdBy: 'test', options });
    const { status, error } = await operations.wait(operation.id, PATIENCE);
    if (error !== undefined) throw new HoldfastError(error.kind ?? 'internal', error.code, error.message);
    assert.equal(status, 'completed');
    return restores.get(operation.id);
  }

  /** Commits what `backUpDirectly` made, with what the backup manager said of another backup. */
  async commit(made: ServiceBackup, writer: SnapshotWriter, like: Backup): Promise<Backup> {
    const backup = { ...like, id: writer.snapshotId, checksum: made.checksum, size: made.size };
    const { root, serviceData } = made;
    return (await writer.commit(() => ({ backup, root, serviceData }))).backup;
  }

  /** The service alone. */
  async restoreDirectly(
    backup: Backup,
    options: Readonly<Record<string, unknown>>,
    { signal, report }: { signal?: AbortSignal; report?: (progress: Progress) => void } = {},
  ): Promise<ServiceRestore> {
    const reader = await this.managed.repository.openSnapshot(backup.id);
    try {
      return await createSqliteService().restore({
        backup,
        chain: [{ backup, reader }],
        options,
        signal: signal ?? new AbortController().signal,
        report: report ?? (() => undefined),
        warn: () => undefined,
      });
    } finally {
      await reader.close();
    }
  }

  /** Names beside the databases and among the private copies that only unfinished work leaves. */
  async leftovers(): Promise<string[]> {
    const beside = (await readdir(this.folder)).filter((name) => name.startsWith('.holdfast-'));
    return [...beside, ...(await readdir(this.temporary))];
  }

  async remove(): Promise<void> {
    await this.managed.application.close();
    await this.#remove();
  }
}

/** Makes a database, runs SQL in it and closes it, unless the test goes on with it. */
export function makeDatabase(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

/** The rows that a query gives, in a database that nothing else has open. */
export function query(file: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(file, { timeout: 60_000 });
  try {
    return database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

/** Rows that make a database a few megabytes large. */
export const FILLER = `
  CREATE TABLE filler (id INTEGER PRIMARY KEY, content TEXT);
  WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000)
  INSERT INTO filler SELECT i, hex(randomblob(100)) FROM c;`;

/** A process that commits numbered rows until it is stopped. */
export class NumberedRows {
  readonly #child: ChildProcess;
  #committed = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    let begun = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${begun}${text}`.split('\n');
      begun = lines.pop() ?? '';
      if (lines.length > 0) this.#committed = Number(lines.at(-1));
    });
  }

  static async start(file: string, mode: 'wal' | 'delete'): Promise<NumberedRows> {
    makeDatabase(
      file,
      `PRAGMA journal_mode=${mode}; ${FILLER}
       CREATE TABLE numbered (n INTEGER PRIMARY KEY, payload TEXT); CREATE TABLE pairs (n INTEGER PRIMARY KEY);`,
    );
    const rows = new NumberedRows(runWriter([file, mode]));
    await rows.reach(1);
    return rows;
  }

  /** The number of a row that is surely committed by now. */
  get committed(): number {
    return this.#committed;
  }

  async reach(number: number): Promise<void> {
    while (this.#committed < number) {
      if (this.#child.exitCode !== null) throw new Error('The writer ended by itself.');
      await once(this.#child.stdout!, 'data');
    }
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL');
      await ended;
    }
  }
}

/** Leaves a database with the journal of a transaction that nobody finished. */
export async function crashInTransaction(file: string): Promise<void> {
  const child = runWriter([file, 'delete', 'crash']);
  await once(child, 'exit');
}

function runWriter(parameters: readonly string[]): ChildProcess {
  return fork(fileURLToPath(new URL('./sqlite-writer.ts', import.meta.url)), parameters, {
    execArgv: [],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
}
