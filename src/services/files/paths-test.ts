import { access, constants, lstat } from 'node:fs/promises';
import { CheckList } from '../../core/check-list.ts';
import { messageOf, systemErrorCode } from '../../core/errors.ts';
import type { ConnectionCheck, ConnectionTestContext } from '../../core/ports/connection-check.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { asPath, printable, toByteString } from './byte-path.ts';
import { type FilesConfiguration, parseFilesConfiguration } from './configuration.ts';
import { ExcludeRules } from './exclude-rules.ts';
import { walk } from './walk.ts';

/** Entries below each path that are tried. */
const MOST_TRIED = 1000;
const MOST_NAMED = 5;

/** What a backup of files needs: the paths, the right to read them, and excludes that leave something. */
export async function testPaths({
  configuration: given,
  signal,
}: ConnectionTestContext): Promise<readonly ConnectionCheck[]> {
  const configuration = parseFilesConfiguration(given);
  const list = new CheckList(signal);
  if (configuration.excludeFiles.length > 0)
    await list.attempt('exclude files', async () => {
      new ExcludeRules(configuration);
      list.ok('exclude files', `${configuration.excludeFiles.join(', ')} can be read.`);
    });
  for (const path of configuration.paths) await list.attempt('path', () => testPath(path, configuration, list, signal));
  await list.attempt('attributes', () => attributes(configuration.paths, list));
  return list.checks;
}

async function testPath(
  path: string,
  configuration: FilesConfiguration,
  list: CheckList,
  signal: AbortSignal,
): Promise<void> {
  let isFolder: boolean;
  try {
    const status = await lstat(path);
    isFolder = status.isDirectory();
    if (!status.isSymbolicLink()) await access(path, isFolder ? constants.R_OK | constants.X_OK : constants.R_OK);
  } catch (error) {
    const missing = ['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '');
    if (missing)
      list.failed('path', `There is no ${path}.`, "Mount what it lies on, or correct the resource's `paths`.");
    else list.failed('path', `${path} cannot be read: ${messageOf(error)}.`, READ_ADVICE);
    return;
  }
  const { found, unreadable } = await tryEntries(path, configuration, signal);
  const tried = found > MOST_TRIED ? ` (the first ${MOST_TRIED} entries were tried)` : '';
  if (unreadable.length > 0) {
    const more = unreadable.length > MOST_NAMED ? ` and ${unreadable.length - MOST_NAMED} more` : '';
    const named = unreadable.slice(0, MOST_NAMED).join(', ');
    list.warning(
      'path',
      `Below ${path} these cannot be read${tried}: ${named}${more}. A backup leaves them out and says so.`,
      READ_ADVICE,
    );
  } else if (isFolder && found === 0) {
    const message = `Nothing below ${path} would be backed up: it is empty, or all of it is excluded.`;
    list.warning('path', message, 'Look at `exclude`, `excludeFiles`, `excludeIfPresent` and `oneFileSystem`.');
  } else list.ok('path', `${path} can be read${tried}.`);
}

const READ_ADVICE = 'Give the user that Holdfast runs as the right to read it, or exclude it.';

/** Walks as a backup does, but not far. */
async function tryEntries(
  path: string,
  configuration: FilesConfiguration,
  signal: AbortSignal,
): Promise<{ found: number; unreadable: string[] }> {
  const unreadable: string[] = [];
  const warn = (message: string) => void unreadable.push(message);
  const root = toByteString(path).replace(/^\/+/, '');
  let found = 0;
  for await (const entries of walk({ ...configuration, paths: [path] }, { signal, warn })) {
    for (const entry of entries) {
      if (entry === root) continue;
      if (++found > MOST_TRIED) return { found, unreadable };
      if (!(await isReadable(entry))) unreadable.push(printable(entry));
    }
  }
  return { found, unreadable };
}

/** What a folder does not let in, the walk tells by itself; links, pipes and devices are not opened by a backup. */
async function isReadable(entry: ByteString): Promise<boolean> {
  try {
    if (!(await lstat(asPath(entry))).isFile()) return true;
    await access(asPath(entry), constants.R_OK);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return true;
    if (systemErrorCode(error) !== undefined) return false;
    throw error;
  }
}

async function attributes(paths: readonly string[], list: CheckList): Promise<void> {
  const { listAttributes, terminated } = await import('./system-calls.ts');
  const failing: string[] = [];
  for (const path of paths) {
    try {
      listAttributes(terminated(toByteString(path)));
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') failing.push(`${path} (${messageOf(error)})`);
    }
  }
  if (failing.length === 0) list.ok('attributes', 'Extended attributes and access lists can be read.');
  else list.warning('attributes', `Extended attributes cannot be read of ${failing.join(', ')}.`, READ_ADVICE);
}
