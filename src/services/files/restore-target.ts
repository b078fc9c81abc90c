import { type BigIntStats, lstatSync, mkdirSync } from 'node:fs';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';
import { isSafePath } from './safe-path.ts';

/**
 * The folder that a restore writes into and never leaves: paths of entries are checked, and no folder on the way to a file
 * may be a symbolic link, whoever made it.
 */
export class RestoreTarget {
  readonly #folder: ByteString;
  readonly #strip: ByteString;
  readonly #checked = new Set<ByteString>();

  /**
   * @param folder byte string, absolute, without trailing slash
   * @param strip what is taken off the front of entries' paths
   */
  constructor(folder: ByteString, strip: ByteString) {
    this.#folder = folder;
    this.#strip = strip;
  }

  /** Where an entry goes; absolute byte string. @throws HoldfastError `path-escapes-target` (damaged) */
  place(path: ByteString): ByteString {
    const inside =
      this.#strip === '' ? path : path.startsWith(`${this.#strip}/`) ? path.slice(this.#strip.length + 1) : undefined;
    if (inside === undefined || !isSafePath(inside)) throw escapes(path);
    return `${this.#folder}/${inside}`;
  }

  /** Makes the folders above a place and makes sure that none of them is a link. */
  prepareParent(place: ByteString): void {
    this.#ensureFolder(place.slice(0, place.lastIndexOf('/')));
  }

  ensureFolder(place: ByteString): void {
    this.prepareParent(place);
    this.#ensureFolder(place);
  }

  #ensureFolder(folder: ByteString): void {
    if (folder.length <= this.#folder.length || this.#checked.has(folder)) return;
    this.#ensureFolder(folder.slice(0, folder.lastIndexOf('/')));
    const bytes = Buffer.from(folder, 'latin1');
    try {
      mkdirSync(bytes, { mode: 0o700 });
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
      if (!lstatSync(bytes).isDirectory()) throw escapes(folder.slice(1));
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

function escapes(path: ByteString): HoldfastError {
  return new HoldfastError(
    'denied',
    'path-escapes-target',
    `${printable(path)} would be written outside of the restore's folder, or through something that is no folder. It was not restored; restore into an empty folder and look at it there.`,
    { details: { path: printable(path) } },
  );
}
