import { readFileSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import ignore, { type Ignore } from 'ignore';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { asPath, printable, toByteString } from './byte-path.ts';
import type { FilesConfiguration } from './configuration.ts';

/**
 * Walks the configured paths depth-first with names in byte order, which is the order of a tree's entries. Yields paths as
 * byte strings without the leading slash, directories before what is in them.
 */
export async function* walk(
  configuration: FilesConfiguration,
  warn: (message: string) => void,
): AsyncGenerator<ByteString> {
  const rules = new ExcludeRules(configuration);
  for (const root of configuration.paths) {
    const path = toByteString(root).replace(/^\/+/, '');
    let device: number | undefined;
    try {
      const status = await lstat(root);
      device = configuration.oneFileSystem ? status.dev : undefined;
      if (path !== '') yield path;
      if (!status.isDirectory()) continue;
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT')
        throw new HoldfastError(
          'not-found',
          'path-missing',
          `There is no ${root} to back up. Correct the resource's \`paths\`.`,
          { cause: error },
        );
      throw error;
    }
    yield* walkFolder(path, { root: path, device, rules, configuration, warn });
  }
}

interface WalkContext {
  root: ByteString;
  device: number | undefined;
  rules: ExcludeRules;
  configuration: FilesConfiguration;
  warn: (message: string) => void;
}

async function* walkFolder(folder: ByteString, context: WalkContext): AsyncGenerator<ByteString> {
  const { configuration, rules, warn } = context;
  let names: { name: string; isDirectory(): boolean }[];
  try {
    names = await readdir(asPath(folder), { withFileTypes: true, encoding: 'latin1' as BufferEncoding as 'utf8' });
  } catch (error) {
    warn(`${printable(folder)} could not be listed, so nothing below it is in this backup: ${messageOf(error)}`);
    return;
  }
  if (configuration.excludeIfPresent.some((marker) => names.some((each) => each.name === toByteString(marker)))) return;
  names.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const each of names) {
    const path = folder === '' ? each.name : `${folder}/${each.name}`;
    const isFolder = each.isDirectory();
    if (rules.excludes(relativeTo(context.root, path), isFolder)) continue;
    if (!isFolder) {
      yield path;
      continue;
    }
    // A mount point is kept as an empty folder, as a restore needs it to mount on.
    const crosses = context.device !== undefined && (await deviceOf(path)) !== context.device;
    yield path;
    if (!crosses) yield* walkFolder(path, context);
  }
}

async function deviceOf(path: ByteString): Promise<number | undefined> {
  try {
    return (await lstat(asPath(path))).dev;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** gitignore rules; without any, nothing is looked at. */
class ExcludeRules {
  readonly #rules: Ignore | undefined;

  constructor({ exclude, excludeFiles }: FilesConfiguration) {
    const patterns = [...exclude, ...excludeFiles.flatMap(readPatterns)].map(toByteString);
    this.#rules = patterns.length === 0 ? undefined : ignore({ ignorecase: false }).add(patterns);
  }

  excludes(path: ByteString, isFolder: boolean): boolean {
    if (this.#rules === undefined || path === '') return false;
    return this.#rules.ignores(isFolder ? `${path}/` : path);
  }
}

function readPatterns(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (cause) {
    throw new HoldfastError(
      'invalid',
      'exclude-file-unreadable',
      `The file of exclude patterns ${file} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function relativeTo(root: ByteString, path: ByteString): ByteString {
  return root === '' ? path : path.slice(root.length + 1);
}
