import { mkdtemp, rm, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { HoldfastError } from '../../core/errors.ts';
import type { BackupContext, ServiceBackup } from '../../core/ports/service.ts';
import { parseSqliteConfiguration, type SqliteConfiguration } from './configuration.ts';
import type { DatabaseFacts } from './database-job.ts';
import { DatabaseProcess } from './database-process.ts';
import { segmentBytesFor } from './segment-size.ts';
import { sqliteFault } from './sqlite-fault.ts';
import { storeCopy } from './store-copy.ts';

/** How much of the work is done when the copy is made; the rest is storing it. */
const COPYING_PERCENT = 40;

/**
 * Backs up a live database: copies one snapshot of it into a private folder, checks the copy, counts its rows, stores it. The
 * database's own users are held up for the copying at most.
 *
 * @throws HoldfastError `database-missing` (not-found), `not-a-file`, `not-a-database` (invalid), `database-locked` (locked),
 * `database-damaged`, `database-check-failed` (damaged), `database-unreadable` (denied), `database-needs-recovery` (conflict),
 * `temporary-space-short` (unavailable)
 */
export async function backUpDatabase(context: BackupContext): Promise<ServiceBackup> {
  const configuration = parseSqliteConfiguration(context.resource.configuration);
  context.signal.throwIfAborted();
  const folder = await makePrivateFolder(configuration.temporaryFolder ?? tmpdir());
  // The process removes the folder if this one dies, so it is there until the copy is stored.
  const databases = new DatabaseProcess(context.signal, { temporaryFolder: folder, unfinished: folder });
  try {
    const owner = await ownerOf(configuration.path);
    const copy = path.join(folder, 'copy.sqlite');
    const facts = await takeCopy(context, configuration, databases, copy);
    return await store(context, configuration, copy, { facts, owner });
  } finally {
    await databases.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function takeCopy(
  { signal, report, warn }: BackupContext,
  { path: source, checks, busyTimeoutMilliseconds, pagesPerStep }: SqliteConfiguration,
  databases: DatabaseProcess,
  copy: string,
): Promise<DatabaseFacts> {
  const facts = await databases.run<'copy'>(
    { kind: 'copy', path: source, copy, busyTimeoutMilliseconds, pagesPerStep, checks },
    ({ phase, done, total }) => {
      const percent = phase === 'copying' ? Math.floor((COPYING_PERCENT * done) / Math.max(1, total)) : COPYING_PERCENT;
      report({ percent, phase });
    },
  );
  signal.throwIfAborted();
  if (facts.problems.length > 0) throw checkFailed(source, facts.problems);
  for (const what of facts.unchecked)
    warn(`Not checked: ${what}. Where the application brings a function, collation or module along, only it can.`);
  if (facts.pageCount === 0)
    warn(`${source} is an empty database (no page was ever written). Check that \`path\` is right.`);
  return facts;
}

interface FileOwner {
  mode: number;
  uid: number;
  gid: number;
}

async function store(
  { writer, signal, report, type }: BackupContext,
  configuration: SqliteConfiguration,
  copy: string,
  { facts, owner }: { facts: DatabaseFacts; owner: FileOwner },
): Promise<ServiceBackup> {
  const { pageSize, pageCount, problems: _none, unchecked: _told, ...described } = facts;
  const length = pageSize * pageCount;
  const onBytes = (doneBytes: number): void => {
    const percent = COPYING_PERCENT + Math.floor(((99 - COPYING_PERCENT) * doneBytes) / Math.max(1, length));
    report({ percent, phase: 'storing', doneBytes, totalBytes: length });
  };
  const segmentBytes = segmentBytesFor(length, pageSize);
  const { sha256, root } =
    length === 0
      ? await writer.writeStream(Readable.from([]))
      : await storeCopy({ path: copy, length, segmentBytes, writer, signal, onBytes });
  return {
    type,
    root,
    size: length,
    checksum: `sha256:${sha256}`,
    isDelta: false,
    readBytes: length,
    sourceBytes: length,
    serviceData: {
      path: configuration.path,
      host: hostname(),
      ...owner,
      pageSize,
      pageCount,
      ...described,
      tableCount: facts.tables.length,
      checks: configuration.checks,
      segmentBytes,
      sha256,
    },
  };
}

async function makePrivateFolder(parent: string): Promise<string> {
  try {
    // mkdtemp makes folders of mode 0700.
    return await mkdtemp(path.join(parent, 'holdfast-sqlite-'));
  } catch (error) {
    throw new HoldfastError(
      'unavailable',
      'temporary-folder-unusable',
      `No private folder for a copy of the database can be made in ${parent}. Check that it exists, is writable and has room, or set \`temporaryFolder\`.`,
      { cause: error, details: { folder: parent } },
    );
  }
}

async function ownerOf(file: string): Promise<FileOwner> {
  try {
    const { mode, uid, gid } = await stat(file);
    return { mode: mode & 0o7777, uid, gid };
  } catch (error) {
    throw sqliteFault(error, file);
  }
}

function checkFailed(source: string, problems: readonly string[]): HoldfastError {
  return new HoldfastError(
    'damaged',
    'database-check-failed',
    `${source} is damaged, so no backup of it was made: ${problems[0]}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''}. Restore an earlier backup, or set \`checks\` to \`none\` to keep a copy of what is left.`,
    { details: { path: source, problems } },
  );
}
