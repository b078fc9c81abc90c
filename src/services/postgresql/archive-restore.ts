import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Archive, feed, listArchive, schemaOf, storedArchive } from './archive-reading.ts';
import { selectLines } from './archive-selection.ts';
import { restoreCleanly } from './clean-restore.ts';
import { type Connection, connectionText } from './connection.ts';
import { knownDefinitions, TRANSACTION_TIMEOUT_SINCE } from './older-server-sql.ts';
import type { RestoreOptions } from './restore-options.ts';
import type { DatabasePlan } from './restore-plan.ts';
import { counted, restoreByScript } from './script-restore.ts';
import { Session } from './session.ts';
import { toolFailure, toolMessages } from './tool-failure.ts';
import { startTool } from './tool-process.ts';

export interface ArchiveRestore {
  plan: DatabasePlan;
  /** The database that pg_restore writes to: the target, or one that gets its name later. */
  into: string;
  archive: Archive;
  connection: Connection;
  /** Of the target's server. */
  major: number;
  /** Only such a role may switch triggers off, foreign keys' among them, while rows come in the order of the dump. */
  isSuperuser: boolean;
  options: RestoreOptions;
  warn(message: string): void;
  onBytes(bytes: number): void;
}

/**
 * Lets pg_restore put a dump into a database. In one that was there before, everything happens in one transaction: a restore
 * that fails leaves it as it was.
 */
export async function restoreArchive(restore: ArchiveRestore, signal: AbortSignal): Promise<void> {
  const { plan } = restore;
  const isOurs = plan.action === 'create' || plan.action === 'replace';
  const first = firstStatements(restore);
  const byScript = (first.length > 0 && !isOurs) || (await needsScript(restore, signal));
  const jobs = mostJobs(restore, isOurs, byScript);
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-postgresql-'));
  try {
    const chosen = await optionArguments(restore, folder, signal);
    if (plan.action === 'clean') return await restoreCleanly(chosen, restore, signal);
    if (isOurs) await runFirst(first, restore, signal);
    if (byScript)
      return await restoreByScript({ args: chosen, ...(isOurs ? {} : { transaction: { first } }) }, restore, signal);
    const args = [
      '--exit-on-error',
      '--no-password',
      `--dbname=${connectionText(restore.into)}`,
      ...(isOurs ? [] : ['--single-transaction']),
      ...chosen,
    ];
    if (jobs > 1) await restoreFromFile([...args, `--jobs=${jobs}`], restore, folder, signal);
    else await run(args, restore, signal, restore.archive.stored.bytes(plan.database.dump, signal));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Since then nobody but its owner may make something in the schema `public` of a new database. */
const PUBLIC_CLOSED_SINCE = 15;

/**
 * Client tools from 15 on take that for granted of older servers too, and say of the rights on `public` only what differs from it. Without
 * this, everybody could make something there again where that was taken from them.
 */
function firstStatements({ plan, options, archive, major }: ArchiveRestore): string[] {
  const { action, selection, existing } = plan;
  const isNew = ['create', 'replace'].includes(action) || (action === 'fill-empty' && existing?.schemas.has('public'));
  const hasRights = options.privileges && (selection === undefined || selection.schemas.includes('public'));
  const isTaken = major < PUBLIC_CLOSED_SINCE && archive.stored.contents.tools.major >= PUBLIC_CLOSED_SINCE;
  return isNew && hasRights && isTaken ? [CLOSE_PUBLIC] : [];
}

const CLOSE_PUBLIC = 'REVOKE CREATE ON SCHEMA public FROM PUBLIC';

/** For a new database. Where one was there, the script has them, and psql tells what they could not do. */
async function runFirst(
  statements: readonly string[],
  { plan, connection, into, warn }: ArchiveRestore,
  signal: AbortSignal,
): Promise<void> {
  if (statements.length === 0) return;
  const session = await Session.open(connection, into, signal);
  try {
    for (const statement of statements) await session.run(statement);
    const { isOpen } = await session.row<{ isOpen: boolean }>(
      `SELECT has_schema_privilege('public', 'public', 'CREATE') AS "isOpen"`,
    );
    if (isOpen)
      warn(
        `The role "${connection.user}" does not own the schema public of "${plan.target}", in which everybody may make something now, perhaps other than where it was backed up. If so, as a superuser: ${CLOSE_PUBLIC}.`,
      );
  } finally {
    await session.close();
  }
}

/** Whether pg_restore itself would say something that the server does not know, and take the refusal for a failure. */
async function needsScript({ archive, major }: ArchiveRestore, signal: AbortSignal): Promise<boolean> {
  if (major < TRANSACTION_TIMEOUT_SINCE && archive.tools.major >= TRANSACTION_TIMEOUT_SINCE) return true;
  if (archive.stored.contents.tools.major <= major) return false;
  const definitions = await schemaOf(storedArchive(archive), signal);
  return knownDefinitions(definitions, major) !== definitions;
}

function mostJobs({ plan, options, archive, major, warn }: ArchiveRestore, isOurs: boolean, byScript: boolean): number {
  if (options.jobs === 1) return 1;
  if (isOurs && !byScript) return options.jobs;
  warn(
    isOurs
      ? `The client tools of PostgreSQL ${archive.tools.major} say what a server of version ${major} does not know, which is left out on the way, by one connection only: \`jobs\` had no effect. What tools of version ${major} back up is restored by several.`
      : `"${plan.target}" was there before, so it was restored in one transaction and \`jobs\` had no effect.`,
  );
  return 1;
}

/** Parallel jobs each read for themselves, which takes a file. */
async function restoreFromFile(
  args: readonly string[],
  restore: ArchiveRestore,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const file = path.join(folder, 'dump');
  const { stored, database } = restore.archive;
  const source = Readable.from(counted(stored.bytes(database.dump, signal), restore.onBytes), { objectMode: false });
  try {
    await pipeline(source, createWriteStream(file, { mode: 0o600 }), { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  await run([...args, file], { ...restore, onBytes: () => undefined }, signal, undefined);
}

async function run(
  args: readonly string[],
  { connection, into, archive, warn, onBytes }: ArchiveRestore,
  signal: AbortSignal,
  input: AsyncIterable<Uint8Array> | undefined,
): Promise<void> {
  const tool = startTool(archive.tools.program('pg_restore'), args, {
    environment: connection.toolEnvironment(into),
    signal,
    name: 'pg_restore',
  });
  tool.stdout.resume();
  try {
    if (input === undefined) tool.stdin.end();
    else await feed(counted(input, onBytes), tool);
    const end = await tool.ended;
    signal.throwIfAborted();
    if (end.exitCode !== 0) throw toolFailure(end, { tool: 'pg_restore', database: into, connection });
    for (const message of toolMessages(end.stderr)) warn(connection.withoutSecret(message));
  } finally {
    await tool.stop();
  }
}

async function optionArguments(
  { plan, archive, options, isSuperuser, warn }: ArchiveRestore,
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  const args: string[] = [];
  if (options.schemaOnly) args.push('--schema-only');
  if (options.dataOnly) args.push('--data-only', ...(isSuperuser ? ['--disable-triggers'] : []));
  if (!options.owners) args.push('--no-owner');
  if (!options.privileges) args.push('--no-privileges');
  if (!options.tablespaces) args.push('--no-tablespaces');
  if (plan.selection === undefined) return args;
  const there = plan.existing ?? { schemas: new Set(['public']), tables: new Set<string>() };
  const { lines, skippedKeys } = selectLines(await listArchive(storedArchive(archive), signal), plan.selection, there);
  for (const key of skippedKeys)
    warn(`The foreign key "${key}" was left out: the table that it refers to is neither restored nor there.`);
  const file = path.join(folder, 'list');
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return [...args, `--use-list=${file}`];
}
