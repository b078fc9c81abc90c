import { closeSync, constants, fchmodSync, fsync, openSync, unlinkSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../../core/errors.ts';
import type { PendingObject } from '../../core/ports/storage.ts';
import { openDirect, writeAll, writeAllSync } from '../../process/direct-writes.ts';
import { isPageAligned, PAGE } from '../../process/page-aligned-memory.ts';
import { storageFault } from './storage-fault.ts';
import { makeStorageFolders } from './storage-folders.ts';

export interface PendingFilePlace {
  makePath: () => string;
  ensureFolder: () => Promise<void>;
  publish: (temporary: string, key: string) => Promise<'created' | 'exists'>;
}

/**
 * An object that grows in `tmp/`. Any failed write or fsync makes it unusable: a retried fsync may lie.
 *
 * What comes in page-aligned memory goes to the disk directly where the file system can (`O_DIRECT`), while the caller goes on:
 * the bytes must be on the disk before a commit anyway, and a page cache filled with packs that nobody reads again soon is
 * worth less than what it displaces (docs/decisions/0011-direct-writes.md).
 */
export class PendingFile implements PendingObject {
  readonly #place: PendingFilePlace;
  readonly #writes = new Set<Promise<void>>();
  #file: OpenFile | undefined;
  #position = 0;
  #failure: unknown;
  #done = false;

  constructor(place: PendingFilePlace) {
    this.#place = place;
  }

  write(bytes: Uint8Array, onFree?: () => void): void {
    const file = this.#open();
    if (this.#failure !== undefined) throw this.#fail(file, this.#failure);
    const direct = file.direct === undefined || !this.#isDirect(bytes) ? 0 : bytes.length - (bytes.length % PAGE);
    try {
      if (direct < bytes.length) writeAllSync(file.descriptor, bytes.subarray(direct), this.#position + direct);
      if (direct > 0) this.#writeDirectly(file, bytes.subarray(0, direct), onFree);
      this.#position += bytes.length;
    } catch (error) {
      throw this.#fail(file, error);
    }
    if (direct === 0) onFree?.();
  }

  async commit(key: string): Promise<'created' | 'exists'> {
    const file = this.#open();
    try {
      await this.#settle();
      if (this.#failure !== undefined) throw this.#failure;
      fchmodSync(file.descriptor, FINISHED_MODE);
      await syncDescriptor(file.descriptor);
    } catch (error) {
      this.#discard(file);
      throw storageFault(error, key);
    }
    this.#done = true;
    closeAll(file);
    await this.#place.ensureFolder();
    return this.#place.publish(file.path, key);
  }

  async abort(): Promise<void> {
    if (this.#done) return;
    if (this.#file === undefined) this.#done = true;
    else this.#discard(this.#file);
    await this.#settle();
  }

  /** Only what begins at a page of the file and of memory; after a piece of another length all else goes by the page cache. */
  #isDirect(bytes: Uint8Array): boolean {
    return this.#position % PAGE === 0 && isPageAligned(bytes);
  }

  #writeDirectly(file: OpenFile, bytes: Uint8Array, onFree: (() => void) | undefined): void {
    const { direct = file.descriptor } = file;
    const position = this.#position;
    if (onFree === undefined) {
      writeAllSync(direct, bytes, position, file.descriptor);
      return;
    }
    const writing = writeAll(direct, bytes, position, file.descriptor)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#writes.delete(writing);
        onFree();
      });
    this.#writes.add(writing);
  }

  #fail(file: OpenFile, error: unknown): Error {
    this.#discard(file);
    return storageFault(error, file.path);
  }

  /** The name goes at once; descriptors, whose numbers other files may get, only when no write is under way. */
  #discard(file: OpenFile): void {
    this.#done = true;
    // Nothing of it is wanted any more, so that a descriptor which does not close well has nothing to tell.
    void this.#settle()
      .then(() => closeAll(file))
      .catch(() => undefined);
    unlinkSync(file.path);
  }

  async #settle(): Promise<void> {
    while (this.#writes.size > 0) await Promise.all(this.#writes);
  }

  #open(): OpenFile {
    if (this.#done)
      throw new HoldfastError('internal', 'pending-object-closed', 'This object was finished or given up already.');
    if (this.#file === undefined) {
      const file = this.#place.makePath();
      makeStorageFolders(path.dirname(file));
      try {
        this.#file = { path: file, descriptor: openSync(file, 'wx', 0o600), direct: undefined };
        this.#file.direct = openDirect(file, constants.O_WRONLY);
      } catch (error) {
        if (this.#file !== undefined) this.#discard(this.#file);
        throw storageFault(error, file);
      }
    }
    return this.#file;
  }
}

interface OpenFile {
  path: string;
  descriptor: number;
  /** goes around the page cache; undefined where the file system or the platform does not offer that */
  direct: number | undefined;
}

/** Published objects are read only. */
const FINISHED_MODE = 0o400;
const syncDescriptor = promisify(fsync);

function closeAll({ descriptor, direct }: OpenFile): void {
  try {
    closeSync(descriptor);
  } finally {
    if (direct !== undefined) closeSync(direct);
  }
}
