import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs';
import type { ByteString, EntryType, TreeEntry } from '../../core/tree-entry.ts';
import type { AccountNames } from './account-names.ts';
import { deviceMajor, deviceMinor, getAttribute, listAttributes } from './system-calls.ts';

export type FileStatus = BigIntStats;

/** Bits of `st_mode` that tell the type. */
const TYPE_BITS = 0o170000n;
const TYPES = new Map<bigint, EntryType>([
  [0o100000n, 'file'],
  [0o040000n, 'directory'],
  [0o120000n, 'symlink'],
  [0o010000n, 'fifo'],
  [0o020000n, 'character-device'],
  [0o060000n, 'block-device'],
  [0o140000n, 'socket'],
]);

export function typeOf(status: FileStatus): EntryType {
  return TYPES.get(status.mode & TYPE_BITS) ?? 'file';
}

/** @param terminatedPath absolute, zero-terminated */
export function readStatus(terminatedPath: Buffer): FileStatus {
  return lstatSync(withoutTerminator(terminatedPath), { bigint: true });
}

/** A tree entry without content. */
export function toEntry(path: ByteString, terminatedPath: Buffer, status: FileStatus, names: AccountNames): TreeEntry {
  const uid = Number(status.uid);
  const gid = Number(status.gid);
  const type = typeOf(status);
  const entry: TreeEntry = {
    path,
    type,
    mode: Number(status.mode & 0o7777n),
    uid,
    gid,
    modifiedAt: status.mtimeNs,
    changedAt: status.ctimeNs,
    inode: status.ino,
    device: status.dev,
  };
  const user = names.user(uid);
  if (user !== undefined) entry.user = user;
  const group = names.group(gid);
  if (group !== undefined) entry.group = group;
  if (type === 'file') entry.size = Number(status.size);
  if (type === 'symlink') entry.target = readlinkSync(withoutTerminator(terminatedPath), 'latin1');
  if (type === 'character-device' || type === 'block-device') {
    entry.deviceMajor = deviceMajor(status.rdev);
    entry.deviceMinor = deviceMinor(status.rdev);
  }
  if (type !== 'directory' && status.nlink > 1n) entry.hardLinkGroup = `${status.dev}:${status.ino}`;
  const attributes = readAttributes(terminatedPath);
  if (attributes.length > 0) entry.extendedAttributes = attributes;
  return entry;
}

/** Whether nothing that a backup keeps of a file changed: content and metadata both show in `ctime`. */
export function isUnchanged(previous: TreeEntry, status: FileStatus): boolean {
  return (
    previous.changedAt === status.ctimeNs &&
    previous.modifiedAt === status.mtimeNs &&
    previous.inode === status.ino &&
    previous.device === status.dev &&
    previous.type === typeOf(status) &&
    (previous.type !== 'file' || previous.size === Number(status.size))
  );
}

function readAttributes(terminatedPath: Buffer): { name: string; value: Uint8Array }[] {
  return listAttributes(terminatedPath).flatMap((name) => {
    const value = getAttribute(terminatedPath, name);
    return value === undefined ? [] : [{ name, value }];
  });
}

export function withoutTerminator(path: Buffer): Buffer {
  return path.subarray(0, path.length - 1);
}
