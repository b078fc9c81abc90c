import { access, constants, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { formatBytes } from '../../core/byte-count.ts';
import { CheckList } from '../../core/check-list.ts';
import { messageOf } from '../../core/errors.ts';
import type { ConnectionCheck, ConnectionTestContext } from '../../core/ports/connection-check.ts';
import { parseSqliteConfiguration, type SqliteConfiguration } from './configuration.ts';
import type { JobResults } from './database-job.ts';
import { DatabaseProcess } from './database-process.ts';

/** A test does not wait as long for a lock as a backup does. */
const LONGEST_WAIT = 5_000;

/** What a backup of a database file needs: the file, its lock for a moment, and room for the copy. */
export async function testDatabase(context: ConnectionTestContext): Promise<readonly ConnectionCheck[]> {
  const { signal } = context;
  const configuration = parseSqliteConfiguration(context.configuration);
  const list = new CheckList(signal);
  const probed = await list.attempt('database', () => probe(configuration, signal));
  if (probed !== undefined) tellOf(probed, configuration, list);
  await list.attempt('folder', () => folderRight(configuration, probed?.journalMode, list));
  await list.attempt('temporary space', () => temporarySpace(configuration, probed, list));
  return list.checks;
}

async function probe(configuration: SqliteConfiguration, signal: AbortSignal): Promise<JobResults['probe']> {
  const databases = new DatabaseProcess(signal);
  try {
    const busyTimeoutMilliseconds = Math.min(configuration.busyTimeoutMilliseconds, LONGEST_WAIT);
    return await databases.run<'probe'>({ kind: 'probe', path: configuration.path, busyTimeoutMilliseconds });
  } finally {
    await databases.close();
  }
}

function tellOf(
  { pageSize, pageCount, journalMode }: JobResults['probe'],
  { path: file }: SqliteConfiguration,
  list: CheckList,
): void {
  if (pageCount === 0)
    list.warning('database', `${file} is an empty database (no page was ever written).`, 'Check that `path` is right.');
  else list.ok('database', `${file} is a database of ${formatBytes(pageSize * pageCount)} and can be read.`);
  if (journalMode === 'wal') list.ok('journal mode', 'WAL: nobody notices a backup.');
  else list.ok('journal mode', 'Rollback journal: writers wait while the copy is made.');
}

/** In WAL mode SQLite's own shared memory lies beside the file; a restore in place writes there in any mode. */
async function folderRight(
  { path: file }: SqliteConfiguration,
  journalMode: string | undefined,
  list: CheckList,
): Promise<void> {
  const folder = path.dirname(file);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    list.ok('folder', `${folder} can be written.`);
  } catch (error) {
    const message = `${folder} cannot be written (${messageOf(error)}).`;
    const advice = 'Let the user that Holdfast runs as write into that folder.';
    if (journalMode === 'wal')
      list.warning(
        'folder',
        `${message} In WAL mode a backup then works only while the application has it open.`,
        advice,
      );
    else list.skipped('folder', `${message} Only a restore in place needs it.`, advice);
  }
}

async function temporarySpace(
  { temporaryFolder = tmpdir() }: SqliteConfiguration,
  probed: JobResults['probe'] | undefined,
  list: CheckList,
): Promise<void> {
  const name = 'temporary space';
  const advice = 'Free some space, or set `temporaryFolder` to a folder on a larger disk that Holdfast may write.';
  try {
    await access(temporaryFolder, constants.W_OK | constants.X_OK);
  } catch (error) {
    list.failed(name, `No copy can be made in ${temporaryFolder}: ${messageOf(error)}.`, advice);
    return;
  }
  const { bavail, bsize } = await statfs(temporaryFolder);
  const needed = (probed?.pageSize ?? 0) * (probed?.pageCount ?? 0);
  const message = `${formatBytes(bavail * bsize)} are free in ${temporaryFolder}; the copy needs ${formatBytes(needed)}.`;
  if (bavail * bsize >= needed) list.ok(name, message);
  else list.failed(name, message, advice);
}
