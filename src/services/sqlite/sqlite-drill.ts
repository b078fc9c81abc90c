import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { expectationText, judgeValue } from '../../core/assertion.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { DrillContext, DrillFinding, DrillOutcome } from '../../core/ports/service-drill.ts';
import type { DatabaseFacts } from './database-job.ts';
import { DatabaseProcess } from './database-process.ts';
import { largerBlocks } from './larger-blocks.ts';
import { type DrilledState, drilledState, rebuild } from './log-state-drill.ts';
import { readDatabase } from './read-database.ts';
import { type RecordedDatabase, recordedDatabase } from './recorded-database.ts';
import type { SqliteAssertion } from './sqlite-assertions.ts';
import { sqliteFault } from './sqlite-fault.ts';

const BLOCK_BYTES = 1024 * 1024;
const WRITING_PERCENT = 60;
const MOST_DIFFERENCES = 50;

/**
 * Restores a database into the drill's folder, has SQLite check it, counts its rows, and asks it what the user asserts. All of that
 * happens in processes of their own, which remove the file should the service die. Where a log is kept, its newest state, or that of the
 * moment that was asked for, is put together first: what the user asserts is asked of that.
 */
export async function drillDatabase(context: DrillContext): Promise<DrillOutcome> {
  const { backup, chain, checks, folder } = context;
  const link = chain.at(-1);
  if (link === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A drill was begun without a backup to restore.');
  const recorded = recordedDatabase(link.reader.record.serviceData, backup.id);
  const drilled = await drilledState(context, recorded);
  await context.requireRoom(Math.max(backup.size, drilled?.size ?? 0));
  const isReplayed = drilled !== undefined && (await drillState(context, recorded, drilled));
  const file = path.join(folder, 'database.sqlite');
  await checks.make(
    {
      name: 'checksum',
      kind: 'content',
      description: 'SHA-256 of the restored file is that of the backup',
      expected: `${backup.checksum}, ${backup.size} bytes`,
    },
    () => write(context, file, isReplayed),
  );
  // A file without pages is a database without anything in it.
  if (backup.size > 0) await inspect(context, file, { recorded });
  if (!isReplayed) await askAll(context, file);
  return { restoredBytes: backup.size, software: { sqlite: process.versions.sqlite ?? 'unknown' } };
}

/** @returns whether the state could be had */
async function drillState(context: DrillContext, recorded: RecordedDatabase, drilled: DrilledState): Promise<boolean> {
  const file = await rebuild(context, recorded, drilled);
  if (file === undefined) return false;
  if (drilled.size > 0) await inspect(context, file, { subject: drilled.name });
  await askAll(context, file);
  await rm(file, { force: true });
  return true;
}

async function askAll(context: DrillContext, file: string): Promise<void> {
  // Each assertion came through the service's own schema.
  for (const assertion of context.assertions as readonly SqliteAssertion[])
    await context.checks.make(
      {
        name: 'assertion',
        kind: 'assertion',
        description: assertion.name ?? 'The query gives what is asserted',
        subject: assertion.sql,
        expected: expectationText(assertion),
      },
      () => ask(context, file, assertion),
    );
}

async function write(context: DrillContext, file: string, isReplayed: boolean): Promise<DrillFinding> {
  const { backup, chain, signal, report } = context;
  const hash = createHash('sha256');
  let doneBytes = 0;
  const handle = await open(file, 'wx', 0o600);
  try {
    for await (const bytes of largerBlocks(readDatabase(chain, signal), BLOCK_BYTES)) {
      await handle.appendFile(bytes);
      hash.update(bytes);
      doneBytes += bytes.length;
      const percent = Math.floor((WRITING_PERCENT * doneBytes) / Math.max(1, backup.size));
      report({ percent, phase: 'restoring', doneBytes, totalBytes: backup.size });
    }
  } finally {
    await handle.close();
  }
  if (!isReplayed) context.dataReady();
  const checksum = `sha256:${hash.digest('hex')}`;
  const found = `${checksum}, ${doneBytes} bytes`;
  if (doneBytes === 0 && backup.size === 0) return { outcome: 'not-applicable', found: 'an empty file' };
  return { outcome: checksum === backup.checksum ? 'passed' : 'failed', found };
}

/** @param of what is known of it: what the backup says, or in words what it is, where that says nothing of its rows */
async function inspect(
  context: DrillContext,
  file: string,
  of: { recorded: RecordedDatabase } | { subject: string },
): Promise<void> {
  const { checks, signal, folder, report } = context;
  const databases = new DatabaseProcess(signal, { temporaryFolder: folder, unfinished: file });
  let facts: DatabaseFacts | undefined;
  try {
    await checks.make(
      {
        name: 'integrity-check',
        kind: 'integrity',
        description: "SQLite's integrity_check finds nothing wrong in any page, index or constraint",
        ...('subject' in of ? { subject: of.subject } : {}),
        expected: 'ok',
      },
      async () => {
        facts = await databases
          .run<'inspect'>({ kind: 'inspect', path: file, checks: 'full' }, ({ phase, done, total }) =>
            report({ percent: Math.min(99, WRITING_PERCENT + Math.floor((39 * done) / total)), phase }),
          )
          .catch((error: unknown) => {
            throw sqliteFault(error, file);
          });
        const { problems, unchecked } = facts;
        if (problems.length > 0) return { outcome: 'failed', found: problems[0] ?? '', details: problems };
        if (unchecked.length === 0) return { outcome: 'passed', found: 'ok' };
        return {
          outcome: 'passed',
          found: 'ok, as far as it can be checked without the application',
          details: unchecked,
        };
      },
    );
  } finally {
    await databases.close();
  }
  const tables = facts?.problems.length === 0 ? facts.tables : undefined;
  if (tables === undefined || 'subject' in of) return;
  const { recorded } = of;
  await checks.make(
    {
      name: 'row-counts',
      kind: 'content',
      description: 'Every table has as many rows as were counted when it was backed up',
      expected: totals(recorded.tables),
    },
    () => compareRows(recorded, tables),
  );
}

function compareRows(recorded: RecordedDatabase, tables: DatabaseFacts['tables']): DrillFinding {
  const found = new Map(tables.map(({ name, rows }) => [name, rows]));
  const counted = recorded.tables.filter(({ rows }) => rows !== undefined);
  if (counted.length === 0) return { outcome: 'not-applicable', found: 'no table whose rows were counted' };
  const differences: string[] = [];
  for (const { name, rows } of counted) {
    const restored = found.get(name);
    if (restored === rows) continue;
    const has = found.has(name) ? `${restored ?? 'uncountable'} rows` : 'no table';
    differences.push(`${name}: ${rows} rows backed up, ${has} restored`);
  }
  const known = new Set(recorded.tables.map(({ name }) => name));
  for (const { name } of tables) if (!known.has(name)) differences.push(`${name}: was not backed up`);
  if (differences.length === 0) return { outcome: 'passed', found: totals(tables) };
  const text = `${differences.length} of ${counted.length} tables differ: ${differences[0]}`;
  return { outcome: 'failed', found: text, details: differences.slice(0, MOST_DIFFERENCES) };
}

function totals(tables: DatabaseFacts['tables']): string {
  const counted = tables.filter(({ rows }) => rows !== undefined);
  return `${counted.length} tables, ${counted.reduce((sum, { rows = 0 }) => sum + rows, 0)} rows`;
}

/** A process for each question, so that one that never ends takes nothing along. */
async function ask({ signal, folder }: DrillContext, file: string, assertion: SqliteAssertion): Promise<DrillFinding> {
  signal.throwIfAborted();
  const tooLong = AbortSignal.timeout(assertion.timeoutSeconds * 1000);
  const either = AbortSignal.any([signal, tooLong]);
  const databases = new DatabaseProcess(either, { temporaryFolder: folder, unfinished: file });
  try {
    const { value } = await databases.run<'query'>({ kind: 'query', path: file, sql: assertion.sql });
    return judgeValue(value, assertion);
  } catch (error) {
    signal.throwIfAborted();
    if (tooLong.aborted) return { outcome: 'failed', found: `no answer within ${assertion.timeoutSeconds} seconds` };
    return { outcome: 'failed', found: `no value: ${messageOf(error)}` };
  } finally {
    await databases.close();
  }
}
