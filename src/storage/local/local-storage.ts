import { randomBytes } from 'node:crypto';
import { closeSync, constants, fsync, linkSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { PendingObject, Storage, StorageModuleReference, StoredObject } from '../../core/ports/storage.ts';
import { allocatePageAligned, isPageAligned, PAGE } from '../../process/page-aligned-memory.ts';
import { DurableFolders } from './durable-folders.ts';
import { PendingFile } from './pending-file.ts';
import { storageFault } from './storage-fault.ts';

export interface LocalStorageOptions {
  /** Absolute path of the repository's folder; made if it is missing. */
  folder: string;
}

/**
 * A repository in a folder of a local file system.
 *
 * A new object is written to `tmp/`, fsynced, given its name with `link` (which, unlike `rename`, never replaces), and then
 * the folder is fsynced. Needs a file system with hard links; `openStorage` finds out. Network file systems with stale
 * listings (NFS attribute caches) are not safe with writers on several machines.
 */
export async function openStorage(options: Readonly<Record<string, unknown>>): Promise<Storage> {
  const folder = options.folder;
  if (typeof folder !== 'string' || !path.isAbsolute(folder)) {
    throw new HoldfastError(
      'invalid',
      'storage-options-invalid',
      'The local storage needs `folder`, an absolute path.',
    );
  }
  if (isMainThread) await removeAbandoned(path.join(folder, 'tmp'));
  return new LocalStorage(path.resolve(folder));
}

/** Bytes of a range that no pack of usual settings has. */
const LARGE = 64 * 1024 * 1024;

/** Age after which what a killed process left in `tmp/` goes; milliseconds. */
const ABANDONED_AFTER = 24 * 60 * 60 * 1000;

/**
 * Removes what killed processes left behind. Were one of the files still in use after all, its writer would fail to publish it
 * and say so; nothing that is stored is ever touched.
 */
async function removeAbandoned(folder: string): Promise<void> {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return;
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const status = statSync(file, { throwIfNoEntry: false });
    if (status !== undefined && Date.now() - status.mtimeMs > ABANDONED_AFTER) await unlink(file).catch(ignoreMissing);
  }
}

function ignoreMissing(error: unknown): void {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
}

class LocalStorage implements Storage {
  readonly kind = 'local';
  readonly location: string;
  readonly reopen: StorageModuleReference;
  readonly #folders: DurableFolders;

  constructor(folder: string) {
    this.location = folder;
    this.#folders = new DurableFolders(folder);
    this.reopen = { module: new URL('./local-storage.ts', import.meta.url).href, options: { folder } };
  }

  async putNew(key: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<'created' | 'exists'> {
    const temporary = await this.#temporaryPath();
    await writeDurably(temporary, bytes instanceof Uint8Array ? [bytes] : bytes);
    return this.#publish(temporary, key);
  }

  beginNew(): PendingObject {
    return new PendingFile({
      makePath: () => path.join(this.location, 'tmp', temporaryName()),
      ensureFolder: () => this.#folders.ensure(path.join(this.location, 'tmp')),
      publish: (temporary, key) => this.#publish(temporary, key),
    });
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    const temporary = await this.#temporaryPath();
    const final = this.#pathOf(key);
    await writeDurably(temporary, [bytes]);
    await this.#folders.ensure(path.dirname(final));
    await rename(temporary, final);
    await this.#folders.sync(path.dirname(final));
  }

  async get(key: string): Promise<Buffer> {
    const handle = await this.#openObject(key);
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  }

  async getRange(key: string, offset: number, length: number, buffer?: Buffer): Promise<Buffer> {
    if (buffer !== undefined && length >= DIRECT_FROM && isPageAligned(buffer)) {
      const bytes = await this.#readDirectly(key, offset, length, buffer);
      if (bytes !== undefined) return bytes;
    }
    const handle = await this.#openObject(key);
    try {
      // Before memory is taken for what a damaged index asks for.
      const size = length > LARGE ? (await handle.stat()).size : Number.POSITIVE_INFINITY;
      if (size < offset + length) throw truncated(key, size, offset + length);
      const bytes =
        buffer !== undefined && buffer.length >= length ? buffer.subarray(0, length) : Buffer.allocUnsafe(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw truncated(key, offset + done, offset + length);
        done += bytesRead;
      }
      return bytes;
    } finally {
      await handle.close();
    }
  }

  allocate(length: number): Buffer {
    return allocatePageAligned(length + 2 * PAGE);
  }

  async list(prefix: string, options: { sizes: boolean } = { sizes: true }): Promise<readonly StoredObject[]> {
    const found: StoredObject[] = [];
    await this.#listFolder(prefix.replace(/\/$/, ''), options.sizes, found);
    return found;
  }

  async delete(key: string, options?: { durable: boolean }): Promise<void> {
    const file = this.#pathOf(key);
    const unlessMissing = (error: unknown): void => {
      if (systemErrorCode(error) !== 'ENOENT') throw storageFault(error, key);
    };
    await unlink(file).catch(unlessMissing);
    // Also where it was gone: whoever removed it may not have asked for that to last.
    if (options?.durable === true) await this.#folders.sync(path.dirname(file)).catch(unlessMissing);
  }

  async serverTime(): Promise<Date> {
    return new Date();
  }

  async close(): Promise<void> {
    this.#folders.forget();
  }

  /** A folder that nobody has written to yet is empty; a repository that has gone (unmounted disk) is an error. */
  #folderExists(folder: string): boolean {
    if (statSync(this.#pathOf(folder), { throwIfNoEntry: false }) !== undefined) return true;
    if (statSync(this.location, { throwIfNoEntry: false }) !== undefined) return false;
    throw storageFault(Object.assign(new Error('ENOENT'), { code: 'ENOENT' }), folder);
  }

  #pathOf(key: string): string {
    return path.join(this.location, key);
  }

  async #temporaryPath(): Promise<string> {
    const folder = path.join(this.location, 'tmp');
    await this.#folders.ensure(folder);
    return path.join(folder, temporaryName());
  }

  async #publish(temporary: string, key: string): Promise<'created' | 'exists'> {
    const final = this.#pathOf(key);
    let outcome: 'created' | 'exists' = 'created';
    try {
      await this.#folders.ensure(path.dirname(final));
      linkSync(temporary, final);
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw storageFault(error, key);
      outcome = 'exists';
    } finally {
      unlinkSync(temporary);
    }
    // Also where it existed: whoever made it may not have come to this line yet.
    await this.#folders.sync(path.dirname(final));
    return outcome;
  }

  /** Reads around the page cache, into a buffer with room for whole pages. @returns undefined where that cannot be done */
  async #readDirectly(key: string, offset: number, length: number, buffer: Buffer): Promise<Buffer | undefined> {
    const from = offset - (offset % PAGE);
    const needed = offset + length - from;
    const whole = Math.ceil(needed / PAGE) * PAGE;
    if (constants.O_DIRECT === undefined || whole > buffer.length) return undefined;
    let handle: FileHandle | undefined;
    try {
      handle = await open(this.#pathOf(key), constants.O_RDONLY | constants.O_DIRECT);
      let done = 0;
      while (done < needed) {
        const { bytesRead } = await handle.read(buffer, done, whole - done, from + done);
        done += bytesRead;
        // Only at a file's end does a direct read stop within a page, and none can begin there.
        if (bytesRead === 0 || (done < needed && done % PAGE !== 0)) throw truncated(key, from + done, offset + length);
      }
      return buffer.subarray(offset - from, needed);
    } catch (error) {
      if (systemErrorCode(error) === 'EINVAL') return undefined;
      throw error instanceof HoldfastError ? error : storageFault(error, key);
    } finally {
      await handle?.close();
    }
  }

  async #openObject(key: string): Promise<FileHandle> {
    try {
      return await open(this.#pathOf(key), 'r');
    } catch (error) {
      throw storageFault(error, key);
    }
  }

  async #listFolder(folder: string, sizes: boolean, found: StoredObject[]): Promise<void> {
    if (!this.#folderExists(folder)) return;
    const names = await readdir(this.#pathOf(folder), { withFileTypes: true }).catch((error: unknown) => {
      throw storageFault(error, folder);
    });
    for (const name of names) {
      const key = `${folder}/${name.name}`;
      if (name.isDirectory()) await this.#listFolder(key, sizes, found);
      else if (!sizes) found.push({ key, size: 0 });
      else {
        const status = await stat(this.#pathOf(key)).catch((error: unknown) => {
          if (systemErrorCode(error) === 'ENOENT') return undefined;
          throw storageFault(error, key);
        });
        if (status !== undefined) found.push({ key, size: status.size });
      }
    }
  }
}

/** Shorter reads are of trees and lists, which are often read again. Bytes. */
const DIRECT_FROM = 256 * 1024;

function truncated(key: string, end: number, needed: number): HoldfastError {
  return new HoldfastError(
    'damaged',
    'object-truncated',
    `${key} ends after ${end} bytes where at least ${needed} are needed. Run \`holdfast verify\` to see what is hit.`,
    { details: { object: key } },
  );
}

const syncDescriptor = promisify(fsync);

function temporaryName(): string {
  return `${process.pid}-${randomBytes(12).toString('hex')}`;
}

/** Only the fsync leaves this thread: the bytes are few, and every other call takes microseconds. */
async function writeDurably(file: string, parts: readonly Uint8Array[]): Promise<void> {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'wx', 0o400);
    for (const part of parts)
      for (let done = 0; done < part.length; ) done += writeSync(descriptor, part, done, part.length - done);
    await syncDescriptor(descriptor);
  } catch (error) {
    if (descriptor !== undefined) unlinkSync(file);
    throw storageFault(error, path.basename(file));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
