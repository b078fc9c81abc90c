import { closeSync, fsync, openSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeStorageFolders } from './storage-folders.ts';

/**
 * Makes folders and changes in folders durable. On POSIX a new name survives power loss only once the folder that holds it
 * was fsynced, and a new folder only once its parent was (research: engines.md 6.2).
 *
 * Calls for one folder that come while an fsync of it is under way share the next one: a hundred concurrent commits cost a
 * handful of fsyncs.
 */
export class DurableFolders {
  readonly #root: string;
  readonly #syncFolder: (folder: string) => Promise<void>;
  readonly #known = new Set<string>();
  readonly #syncs = new Map<string, FolderSync>();

  /**
   * @param root which all folders lie in
   * @param syncFolder has all names in a folder survive power loss
   */
  constructor(root: string, syncFolder = fsyncFolder) {
    this.#root = path.dirname(path.join(root, 'folder'));
    this.#syncFolder = syncFolder;
  }

  /** Makes `folder` and its missing parents exist durably. @throws HoldfastError `storage-denied` (denied) */
  async ensure(folder: string): Promise<void> {
    if (this.#known.has(folder)) return;
    const firstMade = makeStorageFolders(folder);
    const outermost = Math.min(firstMade?.length ?? Number.POSITIVE_INFINITY, this.#root.length + 1);
    await this.#makeLast(folder, outermost);
  }

  /** Also folders that were there: another thread or process that made them may not have come to its own fsync yet. */
  async #makeLast(folder: string, outermost: number): Promise<void> {
    if (folder.length < outermost || this.#known.has(folder)) return;
    const parent = path.dirname(folder);
    await Promise.all([this.sync(parent), this.#makeLast(parent, outermost)]);
    this.#known.add(folder);
  }

  /** Resolves when every name that was in `folder` at the call is durable. */
  sync(folder: string): Promise<void> {
    const state = this.#syncs.get(folder) ?? { running: undefined, next: undefined };
    this.#syncs.set(folder, state);
    if (state.running === undefined) return this.#run(folder, state);
    state.next ??= state.running.then(
      () => this.#run(folder, state),
      () => this.#run(folder, state),
    );
    return state.next;
  }

  /** Forgets which folders exist, for when one was removed from outside. */
  forget(): void {
    this.#known.clear();
  }

  #run(folder: string, state: FolderSync): Promise<void> {
    state.next = undefined;
    const running = this.#syncFolder(folder).finally(() => {
      if (state.running !== running) return;
      state.running = undefined;
      if (state.next === undefined) this.#syncs.delete(folder);
    });
    state.running = running;
    return running;
  }
}

interface FolderSync {
  running: Promise<void> | undefined;
  next: Promise<void> | undefined;
}

/** Opening and closing a folder takes microseconds; only the fsync is worth a trip to the thread pool. */
async function fsyncFolder(folder: string): Promise<void> {
  const descriptor = openSync(folder, 'r');
  try {
    await fsyncDescriptor(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const fsyncDescriptor = promisify(fsync);
