import { type BigIntStats, lstatSync, mkdirSync, statSync } from 'node:fs';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { isBelow, printable } from './byte-path.ts';
import { isSafePath } from './safe-path.ts';

export interface RestoreTargetOptions {
  /** Byte string, absolute, without trailing slash; `''` is the root. */
  folder: ByteString;
  /** What is taken off the front of entries' paths. */
  strip: ByteString;
  /** Parts of the tree that go elsewhere: entries' paths, and those that they get. With any, all entries must be in one. */
  moved?: readonly MovedRoot[];
  /** Folders (entries' paths) that may be reached through links: those above what was backed up, which no backup made. */
  trusted: readonly ByteString[];
}

export interface MovedRoot {
  from: ByteString;
  to: ByteString;
}

/**
 * The folder that a restore writes into and never leaves: paths of entries are checked, and no folder on the way to a file
 * may be a symbolic link, whoever made it.
 */
export class RestoreTarget {
  readonly #folder: ByteString;
  readonly #strip: ByteString;
  readonly #moved: readonly MovedRoot[] | undefined;
  readonly #trusted: ReadonlySet<ByteString>;
  readonly #checked = new Set<ByteString>();

  constructor({ folder, strip, moved, trusted }: RestoreTargetOptions) {
    this.#moved = moved;
    this.#folder = folder;
    this.#strip = strip;
    this.#trusted = new Set(trusted.map((path) => `${folder}/${path}`));
  }

  /** As it was given. */
  get folder(): ByteString {
    return this.#folder;
  }

  /** Where an entry goes; absolute byte string. @throws HoldfastError `path-escapes-target` (denied) */
  place(given: ByteString): ByteString {
    const path = this.#whereMoved(given);
    const inside =
      this.#strip === '' ? path : path.startsWith(`${this.#strip}/`) ? path.slice(this.#strip.length + 1) : undefined;
    if (inside === undefined || !isSafePath(inside)) throw escapes(given);
    return `${this.#folder}/${inside}`;
  }

  #whereMoved(path: ByteString): ByteString {
    if (this.#moved === undefined) return path;
    const root = this.#moved.find(({ from }) => isBelow(path, from));
    if (root === undefined) throw escapes(path);
    return root.to + path.slice(root.from.length);
  }

  /** Makes the folders above a place and makes sure that none of them is a link. */
  prepareParent(place: ByteString): void {
    this.ensureFolder(place.slice(0, place.lastIndexOf('/')));
  }

  ensureFolder(folder: ByteString): void {
    if (folder.length <= this.#folder.length || this.#checked.has(folder)) return;
    this.prepareParent(folder);
    const bytes = Buffer.from(folder, 'latin1');
    try {
      mkdirSync(bytes, { mode: 0o700 });
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
      const status = this.#trusted.has(folder) ? statSync(bytes) : lstatSync(bytes);
      if (!status.isDirectory()) throw escapes(folder.slice(1));
    }
    this.#checked.add(folder);
  }
}

/** What lies at a place now, or undefined. */
export function statusAt(place: ByteString): BigIntStats | undefined {
  try {
    return lstatSync(Buffer.from(place, 'latin1'), { bigint: true });
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The folders above some paths that are neither one of these nor below one. */
export function foldersAbove(paths: readonly ByteString[]): ByteString[] {
  const found = new Set<ByteString>();
  for (const path of paths)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) found.add(path.slice(0, end));
  return [...found].filter((folder) => !paths.some((path) => isBelow(folder, path)));
}

function escapes(path: ByteString): HoldfastError {
  return new HoldfastError(
    'denied',
    'path-escapes-target',
    `${printable(path)} would be written outside of the restore's folder, or through something that is no folder. It was not restored; restore into an empty folder and look at it there.`,
    { details: { path: printable(path) } },
  );
}
