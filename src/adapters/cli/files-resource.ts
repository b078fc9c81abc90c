import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Application } from '../../core/application.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { Resource } from '../../core/resource.ts';
import type { CommandOutput } from './command-output.ts';
import { usageError } from './exit-codes.ts';

/** What `holdfast backup PATH...` wants to be read; the configuration of a resource of the `files` service. */
export interface FilesSelection {
  paths: readonly string[];
  excludes: readonly string[];
  oneFileSystem: boolean;
}

/** Paths become absolute, exclude files are read. @throws HoldfastError `usage-exclude-file-unreadable` (invalid) */
export async function filesSelection(
  paths: readonly string[],
  options: { exclude?: readonly string[]; excludeFile?: readonly string[]; oneFileSystem?: boolean },
): Promise<FilesSelection> {
  const fromFiles = await Promise.all((options.excludeFile ?? []).map(readPatterns));
  return {
    paths: [...new Set(paths.map((path) => resolve(path)))],
    excludes: [...(options.exclude ?? []), ...fromFiles.flat()],
    oneFileSystem: options.oneFileSystem === true,
  };
}

/**
 * Makes the resource that the selection belongs to, or brings its excludes up to date. A resource's id stands for its paths:
 * other ones are refused, because one backup after another of different folders is no history of either.
 *
 * @throws HoldfastError `resource-differs` (conflict)
 */
export async function ensureFilesResource(
  application: Application,
  selection: FilesSelection,
  options: { resource?: string; replaceResource?: boolean },
  output: CommandOutput,
): Promise<Resource> {
  const id = options.resource ?? derivedResourceId(selection.paths, hostname());
  const existing = await existingResource(application, id);
  if (existing !== undefined && !options.replaceResource) checkSamePaths(existing, selection);
  const configuration = { ...existing?.configuration, ...selection };
  if (existing !== undefined && isDeepStrictEqual(existing.configuration, configuration)) return existing;
  if (existing !== undefined) output.note(`The resource "${id}" now has the paths and excludes of this command.`);
  const kept = existing === undefined ? {} : { type: existing.type, policyId: existing.policyId };
  return application.resources.put({
    id,
    service: 'files',
    configuration,
    ...(kept.type === undefined ? {} : { type: kept.type }),
    ...(kept.policyId === undefined ? {} : { policyId: kept.policyId }),
    ...(existing?.metadata === undefined ? {} : { metadata: existing.metadata }),
  });
}

/** `files-HOST-srv-shop` for `/srv/shop`, of the characters that resource ids may have, at most 200. */
export function derivedResourceId(paths: readonly string[], host: string): string {
  const slugs = paths.map((path) => path.replace(/^\/+/, '').replaceAll(/[^A-Za-z0-9._-]+/g, '-') || 'root');
  const id = `files-${host.replaceAll(/[^A-Za-z0-9._-]+/g, '-')}-${slugs.join('-')}`;
  if (id.length <= LONGEST_ID) return id;
  throw usageError('resource-missing', 'The paths are too long to make a name of. Give one with --resource ID.');
}

const LONGEST_ID = 200;

async function existingResource(application: Application, id: string): Promise<Resource | undefined> {
  try {
    return await application.resources.get(id);
  } catch (error) {
    if (error instanceof HoldfastError && error.kind === 'not-found') return undefined;
    throw error;
  }
}

function checkSamePaths(existing: Resource, selection: FilesSelection): void {
  const { paths } = existing.configuration;
  const same = Array.isArray(paths) && isDeepStrictEqual([...paths].sort(), [...selection.paths].sort());
  if (existing.service === 'files' && same) return;
  const has = Array.isArray(paths) ? paths.join(', ') : `content of the service "${existing.service}"`;
  throw new HoldfastError(
    'conflict',
    'resource-differs',
    `The resource "${existing.id}" holds ${has}. Give another --resource ID, or --replace-resource to change what it holds.`,
  );
}

async function readPatterns(file: string): Promise<string[]> {
  try {
    const lines = (await readFile(file, 'utf8')).split(/\r?\n/);
    return lines.filter((line) => line !== '' && !line.startsWith('#'));
  } catch (error) {
    throw usageError('exclude-file-unreadable', `The exclude file ${file} could not be read: ${messageOf(error)}.`);
  }
}
