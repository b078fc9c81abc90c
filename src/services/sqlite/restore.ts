import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import type { RestoreContext, ServiceRestore } from '../../core/ports/service.ts';
import { plannedNames, servicePlan } from '../../core/restore-plan.ts';
import { parseSqliteConfiguration } from './configuration.ts';
import type { DatabaseFacts, TableRows, TargetState } from './database-job.ts';
import { DatabaseProcess } from './database-process.ts';
import { makeRoomAt } from './followed-databases.ts';
import { largerBlocks } from './larger-blocks.ts';
import { findLogSource, type LogSource } from './log-source.ts';
import { readDatabase } from './read-database.ts';
import { type RecordedDatabase, recordedDatabase } from './recorded-database.ts';
import { parseRestoreOptions, type RestoreOptions } from './restore-options.ts';
import { sqliteFault } from './sqlite-fault.ts';
import { fileExists, targetInUse } from './target-replacement.ts';

/** How much of the work is done when the bytes are written; the rest is checking them. */
const WRITING_PERCENT = 60;
const BLOCK_BYTES = 1024 * 1024;

/**
 * Restores a database: writes it under a temporary name beside the target, has SQLite check it, compares its rows with those
 * counted at the backup, and only then gives it its name.
 *
 * @throws HoldfastError `options-invalid`, `restore-target-missing` (invalid), `file-exists`, `target-not-a-file`, `target-folder-missing`
 * (conflict), `restore-target-in-use` (locked), `target-space-short` (unavailable), `restored-database-damaged`,
 * `row-counts-differ` and those of damaged content (damaged)
 */
export async function restoreDatabase(context: RestoreContext): Promise<ServiceRestore> {
  const { backup, chain, signal, warn } = context;
  const options = parseRestoreOptions(optionsOf(context));
  const link = chain.at(-1);
  if (link === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A restore was begun without a backup to restore.');
  const recorded = recordedDatabase(link.reader.record.serviceData, backup.id);
  const target = await resolveTarget(options, recorded);
  const source = await findLogSource(context, options.at, recorded.snapshotAt);
  source?.warnOfCoarseness();
  signal.throwIfAborted();
  const temporaryFolder = path.dirname(target);
  const temporary = path.join(temporaryFolder, `.holdfast-${randomBytes(8).toString('hex')}`);
  const databases = new DatabaseProcess(signal, { temporaryFolder, unfinished: temporary });
  let endRoom: (() => void) | undefined;
  try {
    // A plan must not find in the way what the deed would make room of.
    endRoom = await makeRoomAt(target);
    const state = await databases.run<'look'>({ kind: 'look', target });
    requireFree(state, target, options);
    await requireRoom(target, source?.mostBytes ?? backup.size);
    if (options.dryRun) return plan(context, recorded, state, { target, source });
    const places = { target, temporary };
    const report = await new DatabaseRestore({ context, recorded, source }, places, databases).run(options, state);
    for (const file of report.setAside)
      warn(
        `A journal of an earlier database lay beside ${target}. It was moved to ${file}; remove it when nobody misses anything.`,
      );
    return source === undefined || source.isBackup ? { checksum: backup.checksum, report } : { report };
  } finally {
    await databases.close();
    endRoom?.();
  }
}

interface WhatToRestore {
  context: RestoreContext;
  recorded: RecordedDatabase;
  /** Absent: the backup as it is. */
  source: LogSource | undefined;
}

class DatabaseRestore {
  readonly #context: RestoreContext;
  readonly #source: LogSource | undefined;
  readonly #recorded: RecordedDatabase;
  readonly #target: string;
  readonly #databases: DatabaseProcess;
  readonly #temporary: string;

  constructor(
    { context, recorded, source }: WhatToRestore,
    { target, temporary }: { target: string; temporary: string },
    databases: DatabaseProcess,
  ) {
    this.#context = context;
    this.#source = source;
    this.#recorded = recorded;
    this.#target = target;
    this.#databases = databases;
    this.#temporary = temporary;
  }

  async run({ conflict }: RestoreOptions, state: TargetState): Promise<Report & { setAside: readonly string[] }> {
    try {
      await this.#write(state);
      const found = await this.#check();
      this.#context.signal.throwIfAborted();
      const { replaced, setAside } = await this.#databases.run<'replace'>({
        kind: 'replace',
        restored: this.#temporary,
        target: this.#target,
        overwrite: conflict === 'overwrite',
      });
      return { target: this.#target, dryRun: false, ...found, ...this.#source?.describe(), replaced, setAside };
    } finally {
      // By then it has its name, unless something went wrong.
      await rm(this.#temporary, { force: true });
    }
  }

  async #write(state: TargetState): Promise<void> {
    const file = await openNew(this.#temporary);
    try {
      await this.#writeContent(file);
      await this.#giveOwner(file, state);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #writeContent(file: FileHandle): Promise<void> {
    const { backup, chain, signal, report } = this.#context;
    if (this.#source !== undefined) {
      await this.#source.write(file, (done, total) =>
        report({ percent: Math.floor((WRITING_PERCENT * done) / total), phase: 'writing' }),
      );
      return;
    }
    let doneBytes = 0;
    for await (const bytes of largerBlocks(readDatabase(chain, signal), BLOCK_BYTES)) {
      await file.appendFile(bytes);
      doneBytes += bytes.length;
      const percent = Math.floor((WRITING_PERCENT * doneBytes) / Math.max(1, backup.size));
      report({ percent, phase: 'writing', doneBytes, totalBytes: backup.size });
    }
  }

  /** A database that is replaced keeps its owner and mode; a new one gets those that were backed up. */
  async #giveOwner(file: FileHandle, { exists }: TargetState): Promise<void> {
    const { uid, gid, mode } = exists ? await stat(this.#target) : this.#recorded;
    try {
      const own = await file.stat();
      if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid);
      await file.chmod(mode & 0o7777);
    } catch (error) {
      if (systemErrorCode(error) !== 'EPERM') throw error;
      // Whoever may read the database as another user must not be let in, so the mode stays at the owner's alone.
      this.#context.warn(
        `Owner and mode of ${this.#target} could not be set (${messageOf(error)}): it belongs to the user that Holdfast runs as, and only that user may read it.`,
      );
    }
  }

  async #check(): Promise<{ bytes: number; tables: number; rows: number }> {
    const { backup, report, warn } = this.#context;
    const isFromLog = this.#source !== undefined && !this.#source.isBackup;
    // An empty file is a database without pages.
    if (backup.size === 0 && !isFromLog) return { bytes: 0, tables: 0, rows: 0 };
    let facts: DatabaseFacts;
    try {
      facts = await this.#databases.run<'inspect'>(
        { kind: 'inspect', path: this.#temporary, checks: 'full' },
        ({ phase, done, total }) =>
          report({ percent: Math.min(99, WRITING_PERCENT + Math.floor((39 * done) / total)), phase }),
      );
    } catch (error) {
      throw sqliteFault(error, this.#temporary);
    }
    if (facts.problems.length > 0) throw restoredDamaged(backup.id, facts.problems);
    for (const what of facts.unchecked)
      warn(`Not checked: ${what}. Where the application brings a function, collation or module along, only it can.`);
    const rows = isFromLog ? sumOfRows(facts.tables) : compareRows(backup.id, this.#recorded, facts);
    return { bytes: facts.pageCount * facts.pageSize, tables: facts.tables.length, rows };
  }
}

interface Report extends Readonly<Record<string, unknown>> {
  target: string;
  dryRun: boolean;
  bytes: number;
  tables: number;
  rows: number;
}

/** Another resource says by its `path` where to restore to. */
function optionsOf({ options, targetResource }: RestoreContext): Readonly<Record<string, unknown>> {
  if (targetResource === undefined) return options;
  if (options.target === undefined && options.inPlace !== true)
    return { ...options, target: parseSqliteConfiguration(targetResource.configuration).path };
  const message = `The restore goes into the resource "${targetResource.id}", whose \`path\` says where that is: leave \`target\` and \`inPlace\` away.`;
  throw new HoldfastError('invalid', 'options-invalid', message);
}

function plan(
  { backup }: RestoreContext,
  recorded: RecordedDatabase,
  { exists, journals }: TargetState,
  { target, source }: { target: string; source: LogSource | undefined },
): ServiceRestore {
  const rows = sumOfRows(recorded.tables);
  const actions = [
    { action: exists ? 'overwrite' : 'create', path: target },
    ...(exists ? [] : journals.map((journal) => ({ action: 'set-aside', path: journal }))),
  ];
  const bytes = source?.mostBytes ?? backup.size;
  const told = source === undefined || source.isBackup ? { tables: recorded.tables.length, rows } : {};
  const place = plannedNames([target]);
  const aside = exists ? [] : journals.map((journal) => `${journal} (gets another name)`);
  return {
    plan: servicePlan({
      ...(exists ? { replaced: place } : { created: place, replaced: plannedNames(aside) }),
      bytes,
    }),
    report: { target, dryRun: true, bytes, ...told, ...source?.describe(), actions },
  };
}

function sumOfRows(tables: readonly TableRows[]): number {
  return tables.reduce((sum, { rows }) => sum + (rows ?? 0), 0);
}

/** @returns the path behind symbolic links, which stay what they are */
async function resolveTarget(options: RestoreOptions, recorded: RecordedDatabase): Promise<string> {
  const given = path.resolve(options.target ?? recorded.path);
  try {
    return await realpath(given);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
  try {
    return path.join(await realpath(path.dirname(given)), path.basename(given));
  } catch (error) {
    throw new HoldfastError(
      'conflict',
      'target-folder-missing',
      `There is no folder ${path.dirname(given)} to restore into. Make it, with the owner that it should have, and restore again.`,
      { cause: error, details: { path: given } },
    );
  }
}

function requireFree({ exists, openedBy }: TargetState, target: string, { conflict }: RestoreOptions): void {
  if (exists && conflict === 'fail') throw fileExists(target);
  if (openedBy.length > 0) throw targetInUse(target, openedBy);
}

async function requireRoom(target: string, needed: number): Promise<void> {
  const folder = path.dirname(target);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new HoldfastError(
    'unavailable',
    'target-space-short',
    `The restored database needs ${needed} bytes in ${folder} and there are ${free}. Nothing was changed; free some space, or restore to another path.`,
    { details: { folder, needed, free } },
  );
}

async function openNew(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx+', 0o600);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error;
    throw new HoldfastError(
      'denied',
      'target-folder-denied',
      `Holdfast may not write into ${path.dirname(file)}. Give the user that it runs as the right to, or restore to another path.`,
      { cause: error },
    );
  }
}

function compareRows(backupId: string, recorded: RecordedDatabase, facts: DatabaseFacts): number {
  const found = new Map(facts.tables.map(({ name, rows }) => [name, rows]));
  let sum = 0;
  for (const { name, rows } of recorded.tables) {
    const restored = found.get(name);
    sum += restored ?? 0;
    // What could not be counted then or now was told of.
    if (rows === undefined || (found.has(name) && restored === undefined) || restored === rows) continue;
    throw new HoldfastError(
      'damaged',
      'row-counts-differ',
      `The table ${name} has ${restored ?? 'no'} rows after the restore of ${backupId} and had ${rows} when it was backed up. Nothing was put in place; restore an earlier backup.`,
      { details: { backupId, table: name, expected: rows, found: restored ?? null } },
    );
  }
  return sum;
}

function restoredDamaged(backupId: string, problems: readonly string[]): HoldfastError {
  return new HoldfastError(
    'damaged',
    'restored-database-damaged',
    `The database of ${backupId} does not pass integrity_check: ${problems[0]}. Nothing was put in place. Restore an earlier backup; the bytes as they were backed up can be fetched from its \`content\`.`,
    { details: { backupId, problems } },
  );
}
