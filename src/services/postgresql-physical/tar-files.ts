import { extract } from 'tar-stream';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';

/** A file, folder or link of an archive; a file's bytes must be read to their end before the next one is asked for. */
export interface TarFile {
  /** Within the archive. */
  path: ByteString;
  kind: 'file' | 'directory' | 'symlink';
  /** bytes */
  size: number;
  metadata: Pick<TreeEntry, 'mode' | 'uid' | 'gid' | 'modifiedAt'>;
  bytes: AsyncIterable<Uint8Array>;
}

/**
 * Reads a tar archive as servers make it; before 15 without the blocks that end one.
 * @throws HoldfastError `postgresql-archive-damaged` (damaged), `postgresql-path-unsafe` (denied), or what reading `archive` throws
 */
export async function* tarFiles(archive: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile> {
  const parser = extract(OPTIONS);
  const fed = feed(archive, parser);
  // It is awaited at the end, or its error comes out of the parser.
  fed.catch(() => undefined);
  try {
    for await (const entry of parser) {
      const { name, type, size = 0, mode = 0, uid = 0, gid = 0, mtime } = entry.header;
      yield {
        path: safePath(name),
        kind: kindOf(type, name),
        size,
        metadata: { mode: mode & 0o7777, uid, gid, modifiedAt: BigInt(mtime?.getTime() ?? 0) * 1_000_000n },
        bytes: bytesOf(entry as AsyncIterable<unknown> as AsyncIterable<Uint8Array>, fed),
      };
      // Folders and links have no bytes, but their streams must end all the same.
      entry.resume();
    }
    await fed;
  } catch (error) {
    parser.destroy();
    throw await causeOf(error, fed);
  }
}

async function* bytesOf(entry: AsyncIterable<Uint8Array>, fed: Promise<void>): AsyncGenerator<Uint8Array> {
  try {
    yield* entry;
  } catch (error) {
    throw await causeOf(error, fed);
  }
}

/** What ended the reading of the archive is the cause; what the parser says follows from it, and may only be that it is over. */
async function causeOf(error: unknown, fed: Promise<void>): Promise<unknown> {
  if (error instanceof HoldfastError) return error;
  await fed;
  const message = `An archive of the base backup is not readable (${messageOf(error)}). Nothing was backed up; try again.`;
  return new HoldfastError('damaged', 'postgresql-archive-damaged', message, { cause: error });
}

/** Byte strings; the types of the package leave it out. */
const OPTIONS: object = { filenameEncoding: 'latin1' };

async function feed(archive: AsyncIterable<Uint8Array>, parser: ReturnType<typeof extract>): Promise<void> {
  try {
    for await (const bytes of archive) {
      if (parser.destroyed) return;
      if (parser.write(bytes)) continue;
      await new Promise<void>((resolve) => {
        const go = () => {
          parser.off('drain', go).off('close', go);
          resolve();
        };
        parser.on('drain', go).on('close', go);
      });
      if (parser.destroyed) return;
    }
    parser.end(null);
  } catch (error) {
    parser.destroy(error instanceof Error ? error : new Error(messageOf(error)));
    throw error;
  }
}

function kindOf(type: string | null | undefined, name: string): TarFile['kind'] {
  if (type === 'file' || type === 'directory' || type === 'symlink') return type;
  throw new HoldfastError(
    'unsupported',
    'postgresql-answer-unexpected',
    `The server sent ${name}, which is no file, folder or link (${type}). Nothing was backed up.`,
  );
}

/** A hostile server must not have a restore write elsewhere. */
function safePath(name: string): ByteString {
  const path = name.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  const isSafe = !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (isSafe) return path;
  throw new HoldfastError(
    'denied',
    'postgresql-path-unsafe',
    `The server sent a file with the name ${JSON.stringify(name)}, which would lie outside of a data folder. Nothing was backed up.`,
  );
}
