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

/** Makes files, links and special files and gives them their metadata: owner, mode, attributes, then time. */
export class FileWriter {
  readonly warnings: string[] = [];
  readonly #options: FileWriterOptions;

  constructor(options: FileWriterOptions) {
    this.#options = options;
  }

  /** Writes a whole file. With `replace`, under another name first, so that a crash leaves the old file or the new one. */
  writeFile(place: ByteString, bytes: Uint8Array, entry: TreeEntry, replace: boolean): void {
    const path = replace ? temporaryName(place) : place;
    const descriptor = this.#create(path, entry.mode);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done, bytes.length - done);
      this.#finish(path, entry, descriptor);
    } catch (error) {
      unlinkSync(toPath(path));
      throw error;
    } finally {
      closeSync(descriptor);
    }
    // After the last write and close, or the kernel would set it anew.
    setTime(terminated(path), entry.modifiedAt);
    if (replace) renameSync(toPath(path), toPath(place));
  }

  /** Begins a file that several tasks write into: full size, all of it a hole. @returns its temporary place */
  beginFile(place: ByteString, size: number): ByteString {
    const path = temporaryName(place);
    const descriptor = this.#create(path, 0o600);
    try {
      ftruncateSync(descriptor, size);
    } finally {
      closeSync(descriptor);
    }
    return path;
  }

  /** Gives a begun file its metadata and its name. */
  finishFile(temporary: ByteString, place: ByteString, entry: TreeEntry, replace: boolean): void {
    this.#finish(temporary, entry);
    setTime(terminated(temporary), entry.modifiedAt);
    if (replace) {
      renameSync(toPath(temporary), toPath(place));
      return;
    }
    // Unlike `rename`, `link` never takes the place of a file that came meanwhile.
    linkSync(toPath(temporary), toPath(place));
    unlinkSync(toPath(temporary));
  }

  /** Makes a symbolic link, fifo or device. @returns false for what cannot be made */
  makeOther(place: ByteString, entry: TreeEntry, replace: boolean): boolean {
    const path = replace ? temporaryName(place) : place;
    try {
      if (!this.#makeNode(path, entry)) return false;
    } catch (error) {
      if (systemErrorCode(error) !== 'EPERM') throw error;
      this.warnings.push(`${printable(place)} was not made, because only root may make a ${entry.type}.`);
      return false;
    }
    this.#finish(path, entry);
    setTime(terminated(path), entry.modifiedAt);
    if (replace) renameSync(toPath(path), toPath(place));
    return true;
  }

  finishDirectory(place: ByteString, metadata: RestoredMetadata): void {
    this.#finish(place, metadata);
    setTime(terminated(place), metadata.modifiedAt);
  }

  link(existing: ByteString, place: ByteString, replace: boolean): void {
    const path = replace ? temporaryName(place) : place;
    linkSync(toPath(existing), toPath(path));
    if (replace) renameSync(toPath(path), toPath(place));
  }

  #makeNode(path: ByteString, entry: TreeEntry): boolean {
    switch (entry.type) {
      case 'symlink':
        symlinkSync(Buffer.from(entry.target ?? '', 'latin1'), toPath(path));
        return true;
      case 'fifo':
        makeFifo(terminated(path), entry.mode);
        return true;
      case 'character-device':
        makeDevice(terminated(path), 'character', entry.mode, entry.deviceMajor ?? 0, entry.deviceMinor ?? 0);
        return true;
      case 'block-device':
        makeDevice(terminated(path), 'block', entry.mode, entry.deviceMajor ?? 0, entry.deviceMinor ?? 0);
        return true;
      default:
        return false;
    }
  }

  #create(path: ByteString, mode: number): number {
    try {
      return openSync(
        toPath(path),
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
        mode & 0o777,
      );
    } catch (cause) {
      if (systemErrorCode(cause) !== 'EEXIST') throw cause;
      throw new HoldfastError(
        'conflict',
        'file-exists',
        `${printable(path.slice(1))} exists already. Choose \`skip\`, \`overwrite\` or \`newer\` for such files, or restore into an empty folder.`,
        { cause },
      );
    }
  }

  #finish(path: ByteString, metadata: RestoredMetadata, descriptor?: number): void {
    const { type, mode, uid, gid } = metadata;
    if (this.#options.owner && (uid !== EFFECTIVE_USER || gid !== EFFECTIVE_GROUP))
      this.#tolerate(path, 'owner', () => lchownSync(toPath(path), uid, gid));
    const created = descriptor !== undefined && (mode & ~0o777) === 0 && (mode & this.#options.umask) === 0;
    if (type !== 'symlink' && !created) {
      if (descriptor === undefined) chmodSync(toPath(path), mode);
      else fchmodSync(descriptor, mode);
    }
    for (const { name, value } of metadata.extendedAttributes ?? [])
      this.#tolerate(path, `attribute ${Buffer.from(name, 'latin1').toString('utf8')}`, () =>
        setAttribute(terminated(path), name, value),
      );
  }

  /** Rights that this process lacks cost a warning; the file itself is restored. */
  #tolerate(path: ByteString, what: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      const code = systemErrorCode(error);
      if (code !== 'EPERM' && code !== 'EACCES' && code !== 'EOPNOTSUPP' && code !== 'ENOTSUP' && code !== 'EINVAL')
        throw error;
      this.warnings.push(`The ${what} of ${printable(path.slice(1))} could not be set: ${messageOf(error)}`);
    }
  }
}

const EFFECTIVE_USER = process.geteuid?.() ?? -1;
const EFFECTIVE_GROUP = process.getegid?.() ?? -1;

function toPath(place: ByteString): Buffer {
  return Buffer.from(place, 'latin1');
}

function temporaryName(place: ByteString): ByteString {
  const at = place.lastIndexOf('/') + 1;
  return `${place.slice(0, at)}.holdfast-${randomBytes(8).toString('hex')}`;
}
