import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  openSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';
import { makeDevice, makeFifo, setAttribute, setTime, terminated } from './system-calls.ts';

export interface FileWriterOptions {
  /** Give owners again. */
  owner: boolean;
  umask: number;
}

/** Metadata that is set on what a restore makes. */
export type RestoredMetadata = Pick<TreeEntry, 'type' | 'mode' | 'uid' | 'gid' | 'modifiedAt' | 'extendedAttributes'>;

/** A file's bytes; where `runs` are given, all else of it is holes. */
export interface FileBytes {
  bytes: Uint8Array;
  runs?: readonly { offset: number; length: number }[];
}

/**
 * Makes files, links and special files and gives them their metadata: owner, mode, attributes, then time. Places are absolute
 * byte strings. With `replace`, all is made under another name first, so that a crash leaves the old file or the new one.
 */
export class FileWriter {
  readonly warnings: string[] = [];
  readonly #options: FileWriterOptions;

  constructor(options: FileWriterOptions) {
    this.#options = options;
  }

  /** Writes a whole file. */
  writeFile(place: ByteString, { bytes, runs }: FileBytes, entry: TreeEntry, replace: boolean): void {
    const path = replace ? temporaryName(place) : place;
    const descriptor = this.#create(path, place, entry.mode);
    cleaningUp(path, () => {
      try {
        if (runs === undefined) writeAll(descriptor, bytes, 0);
        else {
          ftruncateSync(descriptor, bytes.length);
          for (const { offset, length } of runs) writeAll(descriptor, bytes.subarray(offset, offset + length), offset);
        }
        this.#finish(path, place, entry, descriptor);
      } finally {
        closeSync(descriptor);
      }
      // After the last write and close, or the kernel would set it anew.
      setTime(terminated(path), entry.modifiedAt);
      if (replace) renameSync(toPath(path), toPath(place));
    });
  }

  /** Begins a file that several tasks write into: full size, all of it a hole. @returns its temporary place */
  beginFile(place: ByteString, size: number): ByteString {
    const path = temporaryName(place);
    const descriptor = this.#create(path, place, 0o600);
    return cleaningUp(path, () => {
      try {
        ftruncateSync(descriptor, size);
      } finally {
        closeSync(descriptor);
      }
      return path;
    });
  }

  /** Gives a begun file its metadata and its name. */
  finishFile(temporary: ByteString, place: ByteString, entry: TreeEntry, replace: boolean): void {
    this.#finish(temporary, place, entry);
    setTime(terminated(temporary), entry.modifiedAt);
    if (replace) renameSync(toPath(temporary), toPath(place));
    else renameToFree(temporary, place);
  }

  /** Makes a symbolic link, fifo or device. @returns false for what cannot be made */
  makeOther(place: ByteString, entry: TreeEntry, replace: boolean): boolean {
    const path = replace ? temporaryName(place) : place;
    try {
      if (!makeNode(path, entry)) return false;
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'EEXIST') throw fileExists(place, error);
      if (code !== 'EPERM') throw error;
      this.warnings.push(`${nameOf(place)} was not made, because only root may make a ${entry.type}.`);
      return false;
    }
    cleaningUp(path, () => {
      this.#finish(path, place, entry);
      setTime(terminated(path), entry.modifiedAt);
      if (replace) renameSync(toPath(path), toPath(place));
    });
    return true;
  }

  finishDirectory(place: ByteString, metadata: RestoredMetadata): void {
    this.#finish(place, place, metadata);
    setTime(terminated(place), metadata.modifiedAt);
  }

  /** Gives a file one name more. @returns false where the file system cannot */
  link(existing: ByteString, place: ByteString, replace: boolean): boolean {
    const path = replace ? temporaryName(place) : place;
    try {
      linkSync(toPath(existing), toPath(path));
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'EEXIST') throw fileExists(place, error);
      if (code === undefined || !NO_MORE_LINKS.has(code)) throw error;
      return false;
    }
    if (replace)
      cleaningUp(path, () => {
        renameSync(toPath(path), toPath(place));
        // Where both were names of one file already, `rename` does nothing.
        removeFile(path);
      });
    return true;
  }

  #create(path: ByteString, place: ByteString, mode: number): number {
    try {
      return openSync(
        toPath(path),
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
        mode & 0o777,
      );
    } catch (cause) {
      throw systemErrorCode(cause) === 'EEXIST' ? fileExists(place, cause) : cause;
    }
  }

  /** @param path where it is now; `place` where it will be, for messages */
  #finish(path: ByteString, place: ByteString, metadata: RestoredMetadata, descriptor?: number): void {
    const { type, uid, gid } = metadata;
    let { mode } = metadata;
    if ((uid !== EFFECTIVE_USER || gid !== EFFECTIVE_GROUP) && !this.#giveAway(path, place, uid, gid)) {
      // They would lend the rights of whoever restores instead of those of the owner.
      if ((mode & SET_ID_BITS) !== 0 && type === 'file') {
        mode &= ~SET_ID_BITS;
        this.warnings.push(
          `${nameOf(place)} lost its set-user-id and set-group-id bits, as its owner was not restored.`,
        );
      }
    }
    const created = descriptor !== undefined && (mode & ~0o777) === 0 && (mode & this.#options.umask) === 0;
    if (type !== 'symlink' && !created) {
      if (descriptor === undefined) chmodSync(toPath(path), mode);
      else fchmodSync(descriptor, mode);
    }
    for (const { name, value } of metadata.extendedAttributes ?? [])
      this.#tolerate(place, `attribute ${Buffer.from(name, 'latin1').toString('utf8')}`, () =>
        setAttribute(terminated(path), name, value),
      );
  }

  /** @returns whether it belongs to its owner again */
  #giveAway(path: ByteString, place: ByteString, uid: number, gid: number): boolean {
    return this.#options.owner && this.#tolerate(place, 'owner', () => lchownSync(toPath(path), uid, gid));
  }

  /** Rights that this process, or abilities that the file system lacks cost a warning; the file itself is restored. */
  #tolerate(place: ByteString, what: string, act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === undefined || !TOLERATED.has(code)) throw error;
      this.warnings.push(`The ${what} of ${nameOf(place)} could not be set: ${messageOf(error)}`);
      return false;
    }
  }
}

/** Names of temporary files begin so. */
export const TEMPORARY_PREFIX = '.holdfast-';

export function fileExists(place: ByteString, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'conflict',
    'file-exists',
    `${nameOf(place)} exists already. Choose \`skip\`, \`overwrite\` or \`newer\` for such files, or restore into an empty folder.`,
    { cause, details: { path: nameOf(place) } },
  );
}

/** Removes a file that may have gone already. */
export function removeFile(place: ByteString): void {
  try {
    unlinkSync(toPath(place));
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

const EFFECTIVE_USER = process.geteuid?.() ?? -1;
const EFFECTIVE_GROUP = process.getegid?.() ?? -1;
const SET_ID_BITS = 0o6000;
const TOLERATED = new Set(['EPERM', 'EACCES', 'EOPNOTSUPP', 'EINVAL', 'ENOSPC', 'E2BIG', 'ERANGE']);
/** FAT and its like have no hard links; others have a limit. */
const NO_MORE_LINKS = new Set(['EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV']);

/** @returns false for a type that a restore does not make */
function makeNode(path: ByteString, entry: TreeEntry): boolean {
  const major = entry.deviceMajor ?? 0;
  const minor = entry.deviceMinor ?? 0;
  switch (entry.type) {
    case 'symlink':
      symlinkSync(Buffer.from(entry.target ?? '', 'latin1'), toPath(path));
      return true;
    case 'fifo':
      makeFifo(terminated(path), entry.mode);
      return true;
    case 'character-device':
      makeDevice(terminated(path), 'character', entry.mode, major, minor);
      return true;
    case 'block-device':
      makeDevice(terminated(path), 'block', entry.mode, major, minor);
      return true;
    default:
      return false;
  }
}

/** Writes bytes to a place in a file. */
function writeAll(descriptor: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
}

/** Unlike `rename`, `link` never takes the place of a file that came meanwhile. */
function renameToFree(path: ByteString, place: ByteString): void {
  try {
    linkSync(toPath(path), toPath(place));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'EEXIST') throw fileExists(place, error);
    if (code === undefined || !NO_MORE_LINKS.has(code)) throw error;
    renameSync(toPath(path), toPath(place));
    return;
  }
  removeFile(path);
}

/** Runs `work`; if it fails, the file that it was at is removed. */
function cleaningUp<Result>(path: ByteString, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    removeFile(path);
    throw error;
  }
}

function toPath(place: ByteString): Buffer {
  return Buffer.from(place, 'latin1');
}

function nameOf(place: ByteString): string {
  return printable(place.slice(1));
}

function temporaryName(place: ByteString): ByteString {
  const at = place.lastIndexOf('/') + 1;
  return `${place.slice(0, at)}${TEMPORARY_PREFIX}${randomBytes(8).toString('hex')}`;
}
