/**
 * Paths and names are *byte strings*: JavaScript strings in which every character is one byte (latin1), so that names which
 * are not UTF-8 survive unchanged and compare in byte order. `/` separates components; no leading or trailing `/`.
 */
export type ByteString = string;

export const ENTRY_TYPES = [
  ...(['file', 'directory', 'symlink', 'fifo'] as const),
  ...(['character-device', 'block-device', 'socket'] as const),
] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

/** A part of a content: `length` bytes of the chunk `id`, or, where `id` is null, a hole of `length` zero bytes. */
export interface ContentSegment {
  id: Uint8Array | null;
  length: number;
  /** No hole, though `id` is null: these bytes are lost. Given only to those who asked for a content despite damage. */
  missing?: true;
}

/** A run of bytes of a content, from its beginning. */
export interface MissingRange {
  offset: number;
  length: number;
}

/**
 * The bytes of a file or a stream: held in place (`inline`), as a list of segments, or, where that list would be long, as
 * pages of it (`depth` levels of metadata chunks, each page listing segments or, above the lowest level, pages). What lies in
 * `missing`, in order, stands as holes among the segments but was lost: nobody may take it for zeros.
 */
export type Content =
  | { inline: Uint8Array }
  | { segments: readonly ContentSegment[]; missing?: readonly MissingRange[] }
  | { depth: number; pages: readonly ContentSegment[]; missing?: readonly MissingRange[] };

/** One file, folder or special file of a tree. Times are nanoseconds since 1970-01-01T00:00:00Z. */
export interface TreeEntry {
  path: ByteString;
  type: EntryType;
  /** Permission bits with set-uid, set-gid and sticky: `st_mode & 0o7777`. */
  mode: number;
  uid: number;
  gid: number;
  user?: string;
  group?: string;
  modifiedAt: bigint;
  /** `st_ctime`, `st_ino` and `st_dev`: only to see whether a file changed since; never restored. */
  changedAt?: bigint;
  inode?: bigint;
  device?: bigint;
  /** Bytes, of regular files. */
  size?: number;
  content?: Content;
  /** Byte string, of symbolic links. */
  target?: ByteString;
  /** Equal in all names of one file within a snapshot; absent where there is one name. */
  hardLinkGroup?: string;
  deviceMajor?: number;
  deviceMinor?: number;
  /** Extended attributes, POSIX ACLs among them (`system.posix_acl_access`), in byte order of their names. */
  extendedAttributes?: readonly { name: ByteString; value: Uint8Array }[];
}

/**
 * Orders paths as a depth-first walk with sorted names meets them: a directory right before what is in it.
 * @returns negative, 0 or positive, as sort functions do
 */
export function comparePaths(a: ByteString, b: ByteString): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return (left === SLASH ? -1 : left) - (right === SLASH ? -1 : right);
  }
  return a.length - b.length;
}

const SLASH = 0x2f;
