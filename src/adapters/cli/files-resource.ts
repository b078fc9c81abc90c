import { access, constants, lstat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Application } from '../../core/application.ts';
import { HoldfastError, messageOf, systemErrorCode, unlessNotFound } from '../../core/errors.ts';
import type { Resource } from '../../core/resource.ts';
import type { CommandOutput } from './command-output.ts';
import { usageError } from './exit-codes.ts';
import { besideConfiguration } from './resource/kept-resource.ts';

/** What `holdfast backup PATH...` wants to be read; the configuration of a resource of the `files` service. */
export interface FilesSelection {
  paths: readonly string[];
  exclude: readonly string[];
  excludeFiles: readonly string[];
  oneFileSystem: boolean;
}

/**
 * Paths become absolute. Exclude files are named, not read: a scheduled backup finds them as they are then.
 * @throws HoldfastError `usage-exclude-file-unreadable` (invalid)
 */
export async function filesSelection(
  paths: readonly string[],
  options: { exclude?: readonly string[]; excludeFile?: readonly string[]; oneFileSystem?: boolean },
): Promise<FilesSelection> {
  const excludeFiles = (options.excludeFile ?? []).map((file) => resolve(file));
  await Promise.all(excludeFiles.map(requireReadable));
  return {
    paths: [...new Set(paths.map((path) => resolve(path)))],
    exclude: options.exclude ?? [],
    excludeFiles,
    oneFileSystem: options.oneFileSystem === true,
  };
}

/**
 * Makes the resource that the selection belongs to, or brings its excludes up to date. A resource's id stands for its paths:
 * other ones are refused, because one backup after another of different folders is no history of either.
 *
 * @throws HoldfastError `resource-differs` (conflict), `path-missing` (not-found)
 */
export async function ensureFilesResource(
  application: Application,
  selection: FilesSelection,
  options: { resource?: string; replaceResource?: boolean },
  output: CommandOutput,
): Promise<Resource> {
  const id = options.resource ?? derivedResourceId(selection.paths, hostname());
  const existing = await unlessNotFound(application.resources.get(id));
  if (existing !== undefined && !options.replaceResource) checkSamePaths(existing, selection);
  const configuration = configurationFrom(selection, existing);
  if (existing !== undefined && isDeepStrictEqual(existing.configuration, configuration)) return existing;
  // A mistyped path must not stay behind as a resource that nobody can back up.
  await Promise.all(selection.paths.map(requireThere));
  if (existing !== undefined) output.note(`The resource "${id}" now has the paths and excludes of this command.`);
  return application.resources.put({ ...besideConfiguration(existing, 'files'), id, service: 'files', configuration });
}

/** `files-HOST-srv-shop` for `/srv/shop`, of the characters that resource ids may have, at most 200. */
export function derivedResourceId(paths: readonly string[], host: string): string {
  const slugs = paths.map((path) => path.replace(/^\/+/, '').replaceAll(/[^A-Za-z0-9._-]+/g, '-') || 'root');
  const id = `files-${host.replaceAll(/[^A-Za-z0-9._-]+/g, '-')}-${slugs.join('-')}`;
  if (id.length <= LONGEST_ID) return id;
  throw usageError('resource-missing', 'The paths are too long to make a name of. Give one with --resource ID.');
}

const LONGEST_ID = 200;

/** Where the paths are the same, they stay as the service has put them in order. */
function configurationFrom(selection: FilesSelection, existing: Resource | undefined): Record<string, unknown> {
  if (existing === undefined) return { ...selection };
  const paths = hasSamePaths(existing, selection) ? existing.configuration.paths : selection.paths;
  return { ...existing.configuration, ...selection, paths };
}

function checkSamePaths(existing: Resource, selection: FilesSelection): void {
  if (hasSamePaths(existing, selection)) return;
  const { paths } = existing.configuration;
  // After a recovery nobody knows them but the user.
  if (existing.service === 'files' && paths === undefined) return;
  const has = Array.isArray(paths) ? paths.join(', ') : `content of the service "${existing.service}"`;
  throw new HoldfastError(
    'conflict',
    'resource-differs',
    `The resource "${existing.id}" holds ${has}. Give another --resource ID, or --replace-resource to change what it holds.`,
  );
}

/** The service drops paths that lie within others, so those need not be there again. */
function hasSamePaths(existing: Resource, selection: FilesSelection): boolean {
  const { paths } = existing.configuration;
  if (existing.service !== 'files' || !Array.isArray(paths)) return false;
  const covered = (path: string) =>
    paths.some((other) => path === other || path.startsWith(other === '/' ? other : `${other}/`));
  return paths.every((path) => selection.paths.includes(path)) && selection.paths.every(covered);
}

async function requireThere(path: string): Promise<void> {
  try {
    await lstat(path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw new HoldfastError('not-found', 'path-missing', `There is no ${path} to back up. Correct the path.`);
  }
}

async function requireReadable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    throw usageError('exclude-file-unreadable', `The exclude file cannot be read: ${messageOf(error)}.`);
  }
}
