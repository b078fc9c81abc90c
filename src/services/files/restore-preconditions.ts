import { readdir } from 'node:fs/promises';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { makeFolders } from '../../process/make-folders.ts';
import { printable } from './byte-path.ts';
import type { RestoreOptions } from './restore-options.ts';
import { type RestoreTarget, statusAt } from './restore-target.ts';

/** Refuses a restore before anything is written. @throws HoldfastError `path-not-in-backup` (not-found) naming the paths */
export async function requirePaths(reader: SnapshotReader, paths: readonly ByteString[] | undefined): Promise<void> {
  const missing: string[] = [];
  for (const path of paths ?? []) {
    const found = await reader
      .entries({ paths: [path] })
      [Symbol.asyncIterator]()
      .next();
    if (found.done === true) missing.push(printable(path));
  }
  if (missing.length === 0) return;
  throw new HoldfastError(
    'not-found',
    'path-not-in-backup',
    `The backup has no ${missing.join(', ')}, so nothing was restored. List what is in it, and name paths as they are listed.`,
    { details: { paths: missing } },
  );
}

/**
 * Makes sure that nothing is in the way, as far as the options ask for that.
 *
 * @returns whether the target is sure to be empty
 * @throws HoldfastError `target-not-empty`, `target-not-a-folder`, `file-exists` (conflict)
 */
export async function checkTarget(
  options: RestoreOptions,
  reader: SnapshotReader,
  target: RestoreTarget,
): Promise<boolean> {
  const mayMeetFiles = options.conflict !== 'fail' || options.dryRun;
  if (options.inPlace) {
    if (!mayMeetFiles) await requireFreePlaces(options, reader, target);
    return false;
  }
  const names = await namesIn(options.target);
  if (names.length === 0) return true;
  if (mayMeetFiles) return false;
  throw new HoldfastError(
    'conflict',
    'target-not-empty',
    `${options.target} is not empty. Restore into an empty folder, or say by \`conflict\` (--conflict) what to do with files that are there: \`skip\`, \`overwrite\` or \`newer\`.`,
  );
}

export async function makeTarget(folder: string): Promise<void> {
  try {
    makeFolders(folder, { mode: 0o777 });
  } catch (error) {
    const code = systemErrorCode(error);
    // ENOENT: nothing can be made there, as in /proc.
    throw code === 'EEXIST' || code === 'ENOTDIR' || code === 'ENOENT' ? notAFolder(folder, error) : error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder === '' ? '/' : folder);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') return [];
    throw code === 'ENOTDIR' ? notAFolder(folder, error) : error;
  }
}

async function requireFreePlaces(
  { paths }: RestoreOptions,
  reader: SnapshotReader,
  target: RestoreTarget,
): Promise<void> {
  for await (const entry of reader.entries(paths === undefined ? {} : { paths })) {
    const place = target.place(entry.path);
    if (entry.type === 'directory' || statusAt(place) === undefined) continue;
    throw new HoldfastError(
      'conflict',
      'file-exists',
      `${printable(place.slice(1))} exists already, so nothing was restored. Choose \`skip\`, \`overwrite\` or \`newer\` for such files.`,
      { details: { path: printable(place.slice(1)) } },
    );
  }
}

function notAFolder(folder: string, cause: unknown): HoldfastError {
  return new HoldfastError('conflict', 'target-not-a-folder', `${folder} is not a folder. Restore into one.`, {
    cause,
  });
}
