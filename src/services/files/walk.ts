import { lstat } from 'node:fs/promises';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import { type ByteString, comparePaths } from '../../core/tree-entry.ts';
import { asPath, isBelow, printable, toByteString } from './byte-path.ts';
import type { FilesConfiguration } from './configuration.ts';
import { ExcludeRules } from './exclude-rules.ts';
import { type FolderListing, listFolder } from './folder-listing.ts';
import { OwnFolders } from './own-folders.ts';

export interface WalkOptions {
  signal: AbortSignal;
  warn(message: string): void;
  /** Repositories, which are not walked into. */
  ownFolders?: readonly string[];
}

/**
 * Walks the configured paths depth-first with names in byte order, which is the order of a tree's entries. Yields paths as
 * byte strings without the leading slash, directories before what is in them; many at once, as each turn of a generator below
 * generators costs more than a file. A configured path below another one is a root of its own: neither the excludes nor the
 * file system's end that the walk of the outer one meets keep it out. Repositories of this Holdfast are kept as empty folders.
 *
 * @throws HoldfastError `path-missing` (not-found), before anything is yielded
 */
export async function* walk(
  configuration: FilesConfiguration,
  options: WalkOptions,
): AsyncGenerator<readonly ByteString[]> {
  const roots: Root[] = [];
  for (const path of configuration.paths) roots.push(await rootOf(path));
  roots.sort((a, b) => comparePaths(a.path, b.path));
  const paths = roots.map(({ path }) => path);
  const own = await OwnFolders.among(options.ownFolders ?? [], paths, options.warn);
  yield* new Walk(configuration, roots, own, options).all();
}

interface Root {
  path: ByteString;
  device: number;
  isFolder: boolean;
  visited: boolean;
}

async function rootOf(configured: string): Promise<Root> {
  try {
    const status = await lstat(configured);
    const path = toByteString(configured).replace(/^\/+/, '');
    return { path, device: status.dev, isFolder: status.isDirectory(), visited: false };
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause;
    throw new HoldfastError(
      'not-found',
      'path-missing',
      `There is no ${configured} to back up. Correct the resource's \`paths\`.`,
      { cause },
    );
  }
}

interface ListedAhead {
  listing: Promise<FolderListing>;
  /** In milliseconds of `performance.now`. */
  began: number;
}

class Walk {
  readonly #configuration: FilesConfiguration;
  readonly #roots: readonly Root[];
  readonly #byPath: ReadonlyMap<ByteString, Root>;
  readonly #rules: ExcludeRules;
  readonly #markers: readonly ByteString[];
  readonly #own: OwnFolders;
  readonly #options: WalkOptions;
  /** Folders that the walk comes to soon. */
  readonly #listedAhead = new Map<ByteString, ListedAhead>();

  constructor(configuration: FilesConfiguration, roots: readonly Root[], own: OwnFolders, options: WalkOptions) {
    this.#configuration = configuration;
    this.#roots = roots;
    this.#byPath = new Map(roots.map((root) => [root.path, root]));
    this.#rules = new ExcludeRules(configuration);
    this.#markers = configuration.excludeIfPresent.map(toByteString);
    this.#own = own;
    this.#options = options;
  }

  async *all(): AsyncGenerator<readonly ByteString[]> {
    for (const root of this.#roots) if (!root.visited) yield* this.#root(root);
  }

  async *#root(root: Root): AsyncGenerator<readonly ByteString[]> {
    root.visited = true;
    if (root.path !== '') yield [root.path];
    if (root.isFolder) yield* this.#folder(root.path, root);
  }

  async *#folder(folder: ByteString, root: Root): AsyncGenerator<readonly ByteString[]> {
    this.#options.signal.throwIfAborted();
    const { names, folders } = await this.#list(folder);
    const subfolders = folders.size === 0 ? NONE : names.values().filter((name) => folders.has(name));
    this.#listAhead(folder, subfolders, root);
    let run: ByteString[] = [];
    for (const name of names) {
      const path = pathIn(folder, name);
      const isFolder = folders.has(name);
      if (isFolder) this.#listAhead(folder, subfolders, root);
      const isAlone = !isFolder && this.#roots.length === 1;
      if (isAlone && !this.#rules.excludes(relativeTo(root.path, path), false)) run.push(path);
      if (run.length === LONGEST_RUN || (!isAlone && run.length > 0)) {
        yield run;
        run = [];
      }
      if (!isAlone) yield* this.#path(path, folder, isFolder, root);
    }
    if (run.length > 0) yield run;
    // Those that the listing did not show, whatever the reason.
    yield* this.#rootsBelow(folder);
  }

  /** One of a folder's names, and what is below it. */
  async *#path(
    path: ByteString,
    folder: ByteString,
    isFolder: boolean,
    root: Root,
  ): AsyncGenerator<readonly ByteString[]> {
    if (this.#roots.length > 1) yield* this.#rootsBelow(folder, path);
    const nested = this.#byPath.get(path);
    if (nested !== undefined) {
      yield* this.#root(nested);
      return;
    }
    if (this.#rules.excludes(relativeTo(root.path, path), isFolder)) {
      if (isFolder) yield* this.#rootsBelow(path);
      return;
    }
    yield [path];
    if (!isFolder) return;
    // A mount point is kept as an empty folder, as a restore needs it to mount on.
    const crosses = this.#configuration.oneFileSystem && (await deviceOf(path)) !== root.device;
    if (!crosses && !this.#own.leavesOut(path)) yield* this.#folder(path, root);
    else yield* this.#rootsBelow(path);
  }

  /** Roots that the walk would not come to by itself; in order, so those before a path when that is to come. */
  async *#rootsBelow(folder: ByteString, before?: ByteString): AsyncGenerator<readonly ByteString[]> {
    for (const root of this.#roots) {
      if (root.visited || !isBelow(root.path, folder)) continue;
      if (before === undefined || comparePaths(root.path, before) < 0) yield* this.#root(root);
    }
  }

  /** Has the next of a folder's subfolders listed while others are worked on, unless the walk might not go into it. */
  #listAhead(folder: ByteString, subfolders: Iterator<ByteString, undefined>, root: Root): void {
    const { value: name } = subfolders.next();
    if (name === undefined || this.#roots.length > 1 || this.#configuration.oneFileSystem) return;
    const path = pathIn(folder, name);
    if (this.#own.holds(path) || this.#rules.excludes(relativeTo(root.path, path), true)) return;
    const began = performance.now();
    const listing = listFolder(path);
    // Whoever comes to the folder hears of it.
    listing.catch(() => undefined);
    this.#listedAhead.set(path, { listing, began });
  }

  /** As it was listed ahead, unless that was long ago: what came to the folder since then, or got another name there, would be missing. */
  #listing(folder: ByteString): Promise<FolderListing> {
    const ahead = this.#listedAhead.get(folder);
    this.#listedAhead.delete(folder);
    if (ahead !== undefined && performance.now() - ahead.began <= LONGEST_AHEAD) return ahead.listing;
    return listFolder(folder);
  }

  /** What is in a folder, in byte order; nothing if it is marked as to be left out. */
  async #list(folder: ByteString): Promise<FolderListing> {
    try {
      const listing = await this.#listing(folder);
      return this.#markers.some((marker) => listing.names.includes(marker)) ? NOTHING : listing;
    } catch (error) {
      // Errors without a system call are mistakes of this program: to warn of them would hide that files are missing.
      if (!(error instanceof Error && 'syscall' in error)) throw error;
      this.#options.warn(
        `${printable(folder)} could not be listed, so nothing below it is in this backup: ${messageOf(error)}`,
      );
      return NOTHING;
    }
  }
}

/** Paths given at once, at most. */
const LONGEST_RUN = 512;
/** Milliseconds. */
const LONGEST_AHEAD = 1000;

const NOTHING: FolderListing = { names: [], folders: new Set() };
const NONE = [].values();

async function deviceOf(path: ByteString): Promise<number | undefined> {
  try {
    return (await lstat(asPath(path))).dev;
  } catch (error) {
    // The reading of the folder itself meets the same error and tells it.
    if (systemErrorCode(error) !== undefined) return undefined;
    throw error;
  }
}

function pathIn(folder: ByteString, name: ByteString): ByteString {
  return folder === '' ? name : `${folder}/${name}`;
}

function relativeTo(root: ByteString, path: ByteString): ByteString {
  return root === '' ? path : path.slice(root.length + 1);
}
