import { lstat, opendir, readdir } from 'node:fs/promises';
import { systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { asPath } from './byte-path.ts';

export interface FolderListing {
  /** In byte order. */
  names: readonly ByteString[];
  /** Those of them that are folders, links to folders not among them. */
  folders: ReadonlySet<ByteString>;
}

/**
 * Lists a folder piece by piece, so that one of a million files costs the memory of their names alone.
 *
 * @throws errors of the system calls on the folder itself; what vanishes from it meanwhile is no error
 */
export async function listFolder(folder: ByteString): Promise<FolderListing> {
  try {
    return await listWithTypes(folder);
  } catch (error) {
    if (!isOfAnEntry(error)) throw error;
    return await listAndLook(folder);
  }
}

/**
 * Names are asked for as bytes and not as byte strings: where the file system does not tell types (ext4 and XFS without
 * `ftype`, some of FUSE), Node.js looks at each entry itself, and joins a path of bytes with names of bytes only.
 */
async function listWithTypes(folder: ByteString): Promise<FolderListing> {
  const names: ByteString[] = [];
  const folders = new Set<ByteString>();
  const entries = await opendir(asPath(folder) as unknown as string, { encoding: BYTES, bufferSize: ENTRIES_AT_ONCE });
  for await (const entry of entries) {
    const name = (entry.name as unknown as Buffer).toString('latin1');
    names.push(name);
    if (entry.isDirectory()) folders.add(name);
  }
  return { names: inByteOrder(names), folders };
}

/** For such file systems too, entry by entry: one that vanishes stays in the list, where its reading tells of it. */
export async function listAndLook(folder: ByteString): Promise<FolderListing> {
  const names = await readdir(asPath(folder), { encoding: BYTE_STRINGS });
  const folders = new Set<ByteString>();
  for (const name of names) if (await isFolder(`${folder}/${name}`)) folders.add(name);
  return { names: inByteOrder(names), folders };
}

async function isFolder(path: ByteString): Promise<boolean> {
  try {
    return (await lstat(asPath(path))).isDirectory();
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Characters of byte strings are bytes, so that the order of strings is that of bytes. */
function inByteOrder(names: ByteString[]): ByteString[] {
  return names.sort();
}

/** Whether Node.js failed to look at an entry, rather than to list the folder. */
function isOfAnEntry(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'lstat';
}

const ENTRIES_AT_ONCE = 256;
/** Node.js takes these here, and bytes as a path; its types know of text alone. */
const BYTES = 'buffer' as BufferEncoding;
const BYTE_STRINGS = 'latin1' as BufferEncoding as 'utf8';
