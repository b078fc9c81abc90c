import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { isBelow, printable, toByteString } from './byte-path.ts';

/**
 * Where repositories of this Holdfast lie among what is backed up. A backup that takes its own repository along stores all that the one before it stored, encrypted and so never the same
 * twice: repositories would double each time.
 */
export class OwnFolders {
  readonly #leftOut: ReadonlySet<ByteString>;
  readonly #warn: (message: string) => void;

  private constructor(leftOut: ReadonlySet<ByteString>, warn: (message: string) => void) {
    this.#leftOut = leftOut;
    this.#warn = warn;
  }

  /**
   * @param folders absolute paths of repositories; those that are not there do not matter
   * @param roots as a walk names them. Who names a repository, or what is in it, gets that, and a warning
   */
  static async among(
    folders: readonly string[],
    roots: readonly ByteString[],
    warn: (message: string) => void,
  ): Promise<OwnFolders> {
    const leftOut = new Set<ByteString>();
    const places = await Promise.all(roots.map(async (root) => ({ root, place: await placeOf(asText(root)) })));
    for (const folder of new Set(await Promise.all(folders.map(placeOf)))) {
      for (const { root, place } of places) {
        if (folder === undefined || place === undefined) continue;
        if (isBelow(place, folder)) warn(`${printable(root)} is in a repository of this Holdfast, ${ASIDE}`);
        else if (isBelow(folder, place))
          leftOut.add(joined(root, place === '' ? folder : folder.slice(place.length + 1)));
      }
    }
    return new OwnFolders(leftOut, warn);
  }

  holds(folder: ByteString): boolean {
    return this.#leftOut.has(folder);
  }

  /** Whether what is in a folder is to be left out; warns then. */
  leavesOut(folder: ByteString): boolean {
    if (!this.holds(folder)) return false;
    this.#warn(`What is in ${printable(folder)} is not in this backup: it is a repository of this Holdfast, ${ASIDE}`);
    return true;
  }
}

const ASIDE =
  'and a backup of it would store again all that is in it, each time. Exclude it, and make a copy of the repository instead (`copies` in the configuration).';

/** Without links, as a walk meets it; undefined where it is not there. */
async function placeOf(folder: string): Promise<ByteString | undefined> {
  try {
    return toByteString(await realpath(folder)).replace(/^\/+/, '');
  } catch (error) {
    if (systemErrorCode(error) !== undefined) return undefined;
    throw error;
  }
}

function asText(root: ByteString): string {
  return path.join('/', Buffer.from(root, 'latin1').toString('utf8'));
}

function joined(root: ByteString, rest: ByteString): ByteString {
  return root === '' ? rest : `${root}/${rest}`;
}
