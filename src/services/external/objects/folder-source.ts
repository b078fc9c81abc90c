import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, opendir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError, systemErrorCode } from '../../../core/errors.ts';
import type { ObjectSource, OpenObject, SourceObject } from '../../../core/ports/object-source.ts';

const PIECE = 1024 * 1024;

/** Plain files of a folder and those below it. Nothing outside of it is read, whatever links lie in it. */
export class FolderSource implements ObjectSource {
  readonly location: string;

  /** @param folder absolute path; it may itself be a link */
  constructor(folder: string) {
    this.location = folder;
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<SourceObject> {
    const cut = prefix.lastIndexOf('/');
    const start = cut < 0 ? '' : prefix.slice(0, cut);
    requireInside(start);
    const [root, real] = await Promise.all([realpath(this.location), realpath(path.join(this.location, start))]);
    if (real !== path.join(root, start)) throw notInside(start);
    yield* this.#below(start, prefix, signal);
  }

  async open(
    key: string,
    { offset, entityTag, signal }: { offset: number; entityTag?: string; signal: AbortSignal },
  ): Promise<OpenObject> {
    requireInside(key);
    const file = await this.#openInside(key);
    try {
      const facts = await file.stat();
      const found = tagOf(facts);
      if (entityTag !== undefined && entityTag !== found) throw changed(key);
      return { size: facts.size, entityTag: found, bytes: readFrom(file, { key, offset, facts, signal }) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    // Files are closed by whoever reads them.
  }

  async *#below(folder: string, prefix: string, signal: AbortSignal): AsyncGenerator<SourceObject> {
    const names = await opendir(path.join(this.location, folder)).catch((error: unknown) => {
      // A folder below that goes while it is looked at has no backups any more; the folder itself must be there.
      if (folder !== '' && systemErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (names === undefined) return;
    for await (const entry of names) {
      signal.throwIfAborted();
      // Where a file system begins there is one, which only root may look into.
      if (entry.name === 'lost+found') continue;
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && (prefix.startsWith(`${key}/`) || key.startsWith(prefix)))
        yield* this.#below(key, prefix, signal);
      if (!entry.isFile() || !key.startsWith(prefix)) continue;
      const facts = await stat(path.join(this.location, key)).catch(() => undefined);
      if (facts?.isFile()) yield { key, size: facts.size, modifiedAt: facts.mtime };
    }
  }

  /** Links in the way may point anywhere: what was opened must be what lies inside by its real path. */
  async #openInside(key: string): Promise<FileHandle> {
    const root = await realpath(this.location);
    const place = path.join(root, key);
    let file: FileHandle | undefined;
    try {
      file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const [opened, real] = await Promise.all([file.stat(), realpath(place)]);
      const named = await stat(real);
      const isInside = real.startsWith(path.join(root, path.sep));
      if (isInside && opened.isFile() && opened.ino === named.ino && opened.dev === named.dev) return file;
    } catch (error) {
      await file?.close();
      if (systemErrorCode(error) === 'ELOOP') throw notInside(key);
      if (systemErrorCode(error) !== 'ENOENT' && systemErrorCode(error) !== 'ENOTDIR') throw error;
      throw new HoldfastError('not-found', 'object-missing', `There is no file "${key}" any more.`, { cause: error });
    }
    await file.close();
    throw notInside(key);
  }
}

async function* readFrom(
  file: FileHandle,
  { key, offset, facts, signal }: { key: string; offset: number; facts: Stats; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  try {
    for (let position = offset; position < facts.size; ) {
      signal.throwIfAborted();
      const piece = Buffer.allocUnsafe(Math.min(PIECE, facts.size - position));
      const { bytesRead } = await file.read(piece, 0, piece.length, position);
      if (bytesRead === 0) throw changed(key);
      position += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
    // A tool that writes into a finished file makes bytes that belong to no backup.
    if (tagOf(await file.stat()) !== tagOf(facts)) throw changed(key);
  } finally {
    await file.close();
  }
}

function tagOf({ size, mtimeMs, ino }: Stats): string {
  return `${size}-${mtimeMs}-${ino}`;
}

function requireInside(key: string): void {
  const isPlain = !key.includes('\0') && !path.isAbsolute(key) && !key.split('/').includes('..');
  if (!isPlain) throw notInside(key);
}

function notInside(key: string): HoldfastError {
  const message = `"${key}" is no plain file inside of the folder of backups, so it is not read.`;
  return new HoldfastError('denied', 'object-not-inside', message);
}

function changed(key: string): HoldfastError {
  return new HoldfastError('conflict', 'object-changed', `"${key}" was changed while it was read.`);
}
