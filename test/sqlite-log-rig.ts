import assert from 'node:assert/strict';
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RestoreOperation } from '../src/core/application.ts';
import type { Backup } from '../src/core/backup.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { LogPiece } from '../src/core/ports/resource-log.ts';
import { createSqliteService } from '../src/services/sqlite/sqlite-service.ts';
import { eventually } from './eventually.ts';
import { type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';
import { FILLER, makeDatabase } from './sqlite-rig.ts';

/** Much longer than anything here takes on a machine that does other work as well; milliseconds. */
const PATIENCE = 300_000;

/** The real SQLite service, which follows a database for the real managers. */
export class SqliteLogRig {
  managed: ManagedApplication;
  readonly folder: string;
  readonly temporary: string;
  readonly #home: string;
  readonly #remove: () => Promise<void>;
  readonly #writers: TimedRows[] = [];

  private constructor(managed: ManagedApplication, home: string, remove: () => Promise<void>) {
    this.managed = managed;
    this.#home = home;
    this.folder = path.join(home, 'databases');
    this.temporary = path.join(home, 'temporary');
    this.#remove = remove;
  }

  static async create(): Promise<SqliteLogRig> {
    const { folder, remove } = await temporaryFolder();
    const rig = new SqliteLogRig(await openSqlite(folder), folder, remove);
    await mkdir(rig.folder);
    await mkdir(rig.temporary);
    await rig.managed.application.startBackground();
    return rig;
  }

  place(name: string): string {
    return path.join(this.folder, name);
  }

  /** Follows a database and waits until it was looked at. */
  async follow(file: string, log: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.managed.application.resources.put({
      id: 'shop',
      service: 'sqlite',
      configuration: {
        path: file,
        temporaryFolder: this.temporary,
        busyTimeoutMilliseconds: 120_000,
        log: { enabled: true, intervalSeconds: 0.2, ...log },
      },
    });
    await this.reached(Date.now());
  }

  /** Backs up a database that is not followed. */
  async backUpUnfollowed(file: string): Promise<Backup> {
    const { resources } = this.managed.application;
    await resources.put({ id: 'shop', service: 'sqlite', configuration: { path: file } });
    return this.backUp();
  }

  get repositoryFolder(): string {
    return path.join(this.#home, 'repository');
  }

  /** Folders of drills that are still there. */
  async leftovers(): Promise<string[]> {
    return (await readdir(this.#home)).filter((name) => name.startsWith('holdfast-drill-'));
  }

  async unfollow(): Promise<void> {
    const { resources } = this.managed.application;
    const { configuration } = await resources.get('shop');
    await resources.put({
      id: 'shop',
      service: 'sqlite',
      configuration: { ...configuration, log: { enabled: false } },
    });
    await eventually(() => !this.managed.application.logs.captures().has('shop'), 'the capture did not end');
  }

  /** Ends the service as it is ended by `SIGTERM`, and begins it again. */
  async restartService(meanwhile: () => Promise<void> | void = () => undefined): Promise<void> {
    await this.managed.application.close();
    await meanwhile();
    this.managed = await openSqlite(this.#home);
    await this.managed.application.startBackground();
  }

  /** Waits until all that was committed by a moment is in the repository. */
  async reached(moment: number): Promise<void> {
    for (const end = Date.now() + 60_000; ; ) {
      const capture = this.managed.application.logs.captures().get('shop');
      const through = capture?.progress?.details?.completeThrough;
      if (typeof through === 'string' && Date.parse(through) >= moment) return;
      assert.ok(Date.now() < end, `the log did not reach the moment: ${JSON.stringify(capture)}`);
      await sleep(20);
    }
  }

  warnings(): string[] {
    return (this.managed.application.logs.captures().get('shop')?.warnings ?? []).map(({ message }) => message);
  }

  pieces(): Promise<readonly LogPiece[]> {
    return this.managed.application.logs.of('shop').pieces();
  }

  async backUp(): Promise<Backup> {
    const { backups, operations } = this.managed.application;
    const started = await backups.start({ resourceId: 'shop', createdBy: 'test' });
    const { error } = await operations.wait(started.id, PATIENCE);
    if (error !== undefined) throw new HoldfastError(error.kind ?? 'internal', error.code, error.message);
    const { items } = await backups.list({ resourceId: 'shop' }, { limit: 1 });
    return items[0]!;
  }

  /** @throws HoldfastError as the operation ended with */
  async restoreTo(moment: Date, options: Readonly<Record<string, unknown>>): Promise<RestoreOperation> {
    const { restores, operations } = this.managed.application;
    const timestamp = moment.toISOString();
    const request = { resourceId: 'shop', timestamp, createdBy: 'test', options };
    const { operation } = await restores.restorePointInTime(request);
    const { status, error } = await operations.wait(operation.id, PATIENCE);
    if (error !== undefined) throw new HoldfastError(error.kind ?? 'internal', error.code, error.message);
    assert.equal(status, 'completed');
    return restores.get(operation.id);
  }

  async startRows(file: string, mode: 'wal' | 'delete'): Promise<TimedRows> {
    const rows = await TimedRows.start(file, mode);
    this.#writers.push(rows);
    return rows;
  }

  async remove(): Promise<void> {
    for (const rows of this.#writers) await rows.stop();
    await this.managed.application.close();
    await this.#remove();
  }
}

/**
 * Runs SQL in a process of its own, as an application does that opens the database for a moment: one that waits for readers
 * of the log must not keep this process from moving on. @returns rows of the last statement
 */
export async function runElsewhere(file: string, ...statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const script = `const [file, ...statements] = process.argv.slice(1);
    const database = new (require('node:sqlite').DatabaseSync)(file, { timeout: 60_000 });
    let rows = [];
    for (const statement of statements) rows = database.prepare(statement).all();
    database.close();
    console.log(JSON.stringify(rows));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, file, ...statements]);
  return JSON.parse(stdout) as Record<string, unknown>[];
}

function openSqlite(folder: string): Promise<ManagedApplication> {
  return openManagedApplication(folder, { services: [createSqliteService()] });
}

export interface Commit {
  n: number;
  /** Milliseconds since 1970, taken within the transaction before it was committed. */
  begun: number;
  /** When it was surely committed. */
  at: number;
}

/** A process that commits numbered rows and tells when, until it is stopped. */
export class TimedRows {
  readonly #child: ChildProcess;
  readonly #commits: Commit[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    let begun = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${begun}${text}`.split('\n');
      begun = lines.pop() ?? '';
      for (const line of lines) this.#commits.push(JSON.parse(line));
    });
  }

  static async start(file: string, mode: 'wal' | 'delete'): Promise<TimedRows> {
    makeDatabase(
      file,
      `PRAGMA journal_mode=${mode}; ${FILLER}
       CREATE TABLE IF NOT EXISTS numbered (n INTEGER PRIMARY KEY, payload TEXT);
       CREATE TABLE IF NOT EXISTS pairs (n INTEGER PRIMARY KEY);`,
    );
    return TimedRows.goOn(file);
  }

  static async goOn(file: string): Promise<TimedRows> {
    const child = fork(fileURLToPath(new URL('./sqlite-timed-writer.ts', import.meta.url)), [file], {
      execArgv: [],
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const rows = new TimedRows(child);
    await once(child.stdout!, 'data');
    return rows;
  }

  get committed(): number {
    return this.#commits.at(-1)?.n ?? 0;
  }

  /** By SIGKILL, in the midst of whatever it does. @returns all commits that it told of */
  async stop(): Promise<readonly Commit[]> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'close');
      this.#child.kill('SIGKILL');
      await ended;
    }
    return this.#commits;
  }
}
