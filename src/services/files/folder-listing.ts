import { lstat, readdir } from 'node:fs/promises';
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
 * Lists a folder; of one of a million files, no more than the names is kept.
 *
 * Where the file system does not tell types (ext4 and XFS without `ftype`, some of FUSE), Node.js looks at each entry itself,
 * which fails for paths of bytes with names of text, and for entries that vanish meanwhile. They are looked at here then.
 *
 * @throws errors of the system calls; what vanishes from the folder meanwhile is no error
 */
export async function listFolder(folder: ByteString): Promise<FolderListing> {
  try {
    return await listWithTypes(folder);
  } catch (error) {
    if (isOfTheFolder(error)) throw error;
    return await listAndLook(folder);
  }
}

/** One trip to the thread pool, where reading piece by piece takes three: most folders are small. */
async function listWithTypes(folder: ByteString): Promise<FolderListing> {
  const names: ByteString[] = [];
  const folders = new Set<ByteString>();
  for (const entry of await readdir(asPath(folder), { withFileTypes: true, encoding: BYTE_STRINGS })) {
    names.push(entry.name);
    if (entry.isDirectory()) folders.add(entry.name);
  }
  return { names: inByteOrder(names), folders };
}

/** What vanishes stays in the list: the reading of it tells so. */
export async function listAndLook(folder: ByteString): Promise<FolderListing> {
  const names = await readdir(asPath(folder), { encoding: BYTE_STRINGS });
  const folders = new Set<ByteString>();
  for (const name of names) if (await isFolder(folder === '' ? name : `${folder}/${name}`)) folders.add(name);
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

/** Whether the folder itself could not be listed, rather than an entry be looked at. */
function isOfTheFolder(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'scandir';
}

/** Node.js takes any encoding here; its types know of UTF-8 alone. */
const BYTE_STRINGS = 'latin1' as BufferEncoding as 'utf8';
