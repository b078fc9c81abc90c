import type { TreeEntry } from '../../core/tree-entry.ts';

/** Records of zip archives: PKWARE's APPNOTE 6.3.10; the fields for Unix by Info-ZIP (`proginfo/extrafld.txt`). */

export const STORED = 0;
export const DEFLATED = 8;

export interface ZipEntry {
  entry: TreeEntry;
  /** With a slash at the end of folders' names. */
  name: Buffer;
  method: typeof STORED | typeof DEFLATED;
  /** Sizes and checksum come after the bytes, in a descriptor. */
  isStreamed: boolean;
  /** Sizes are written in 8 bytes. */
  isLarge: boolean;
  /** Of the local header in the archive. */
  offset: number;
}

/** What is known of an entry's bytes once they were read. */
export interface ZipSizes {
  crc: number;
  size: number;
  packedSize: number;
}

export const NO_BYTES: ZipSizes = { crc: 0, size: 0, packedSize: 0 };
/** What fields of 4 bytes cannot hold stands in a zip64 field. */
export const LARGEST_32 = 0xffffffff;

export function localHeader(file: ZipEntry, sizes: ZipSizes): Buffer {
  const { entry, name, isStreamed, isLarge } = file;
  const shown = isStreamed ? NO_BYTES : sizes;
  const extra = Buffer.concat([
    ...(isLarge ? [numbersField(ZIP64, [shown.size, shown.packedSize])] : []),
    timeField(entry),
    ownerField(entry),
  ]);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(VERSION, 4);
  writeShared(header, 6, file);
  header.writeUInt32LE(shown.crc, 14);
  header.writeUInt32LE(isLarge ? LARGEST_32 : shown.packedSize, 18);
  header.writeUInt32LE(isLarge ? LARGEST_32 : shown.size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

export function dataDescriptor({ isLarge }: ZipEntry, { crc, size, packedSize }: ZipSizes): Buffer {
  const descriptor = Buffer.alloc(isLarge ? 24 : 16);
  descriptor.writeUInt32LE(0x08074b50, 0);
  descriptor.writeUInt32LE(crc, 4);
  if (isLarge) {
    descriptor.writeBigUInt64LE(BigInt(packedSize), 8);
    descriptor.writeBigUInt64LE(BigInt(size), 16);
  } else {
    descriptor.writeUInt32LE(packedSize, 8);
    descriptor.writeUInt32LE(size, 12);
  }
  return descriptor;
}

export function centralHeader(file: ZipEntry, { crc, size, packedSize }: ZipSizes): Buffer {
  const { entry, name, isLarge, offset } = file;
  const isFar = offset >= LARGEST_32;
  const large = [...(isLarge ? [size, packedSize] : []), ...(isFar ? [offset] : [])];
  const extra = Buffer.concat([
    ...(large.length > 0 ? [numbersField(ZIP64, large)] : []),
    timeField(entry),
    ownerField(entry),
  ]);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((MADE_BY_UNIX << 8) | VERSION, 4);
  header.writeUInt16LE(VERSION, 6);
  writeShared(header, 8, file);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(isLarge ? LARGEST_32 : packedSize, 20);
  header.writeUInt32LE(isLarge ? LARGEST_32 : size, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(
    (((TYPE_BITS[entry.type] ?? 0) | (entry.mode & 0o7777)) * 0x10000 + (entry.type === 'directory' ? 0x10 : 0)) >>> 0,
    38,
  );
  header.writeUInt32LE(isFar ? LARGEST_32 : offset, 42);
  return Buffer.concat([header, name, extra]);
}

/** The end of an archive; in its larger form where a number asks for it. */
export function endOfArchive(entries: number, centralOffset: number, centralSize: number): Buffer {
  const isLarge = entries >= 0xffff || centralOffset >= LARGEST_32 || centralSize >= LARGEST_32;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries, 0xffff), 8);
  end.writeUInt16LE(Math.min(entries, 0xffff), 10);
  end.writeUInt32LE(Math.min(centralSize, LARGEST_32), 12);
  end.writeUInt32LE(Math.min(centralOffset, LARGEST_32), 16);
  if (!isLarge) return end;
  const large = Buffer.alloc(56 + 20);
  large.writeUInt32LE(0x06064b50, 0);
  large.writeBigUInt64LE(44n, 4);
  large.writeUInt16LE((MADE_BY_UNIX << 8) | VERSION, 12);
  large.writeUInt16LE(VERSION, 14);
  large.writeBigUInt64LE(BigInt(entries), 24);
  large.writeBigUInt64LE(BigInt(entries), 32);
  large.writeBigUInt64LE(BigInt(centralSize), 40);
  large.writeBigUInt64LE(BigInt(centralOffset), 48);
  large.writeUInt32LE(0x07064b50, 56);
  large.writeBigUInt64LE(BigInt(centralOffset + centralSize), 64);
  large.writeUInt32LE(1, 72);
  return Buffer.concat([large, end]);
}

const VERSION = 45;
const MADE_BY_UNIX = 3;
const ZIP64 = 0x0001;
const IS_STREAMED = 0x0008;
const IS_UTF8 = 0x0800;
const TYPE_BITS: Readonly<Record<string, number>> = { file: 0o100000, directory: 0o040000, symlink: 0o120000 };

/** Flags, method and the time of DOS, which both headers have at one distance from each other. */
function writeShared(header: Buffer, at: number, { entry, name, method, isStreamed }: ZipEntry): void {
  const isUtf8 = name.some((byte) => byte > 0x7e) && isValidUtf8(name);
  header.writeUInt16LE((isStreamed ? IS_STREAMED : 0) | (isUtf8 ? IS_UTF8 : 0), at);
  header.writeUInt16LE(method, at + 2);
  const { date, time } = dosTime(entry.modifiedAt);
  header.writeUInt16LE(time, at + 4);
  header.writeUInt16LE(date, at + 6);
}

function isValidUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString('utf8')).equals(bytes);
}

/** Times of DOS have no zone: UTC. Whoever reads the extended timestamp takes that. */
function dosTime(nanoseconds: bigint): { date: number; time: number } {
  const at = new Date(Number(nanoseconds / 1_000_000n));
  const year = at.getUTCFullYear();
  if (!(year >= 1980)) return { date: (1 << 5) | 1, time: 0 };
  if (year > 2107) return { date: (127 << 9) | (12 << 5) | 31, time: (23 << 11) | (59 << 5) | 29 };
  return {
    date: ((year - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
  };
}

function numbersField(id: number, values: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + values.length * 8);
  field.writeUInt16LE(id, 0);
  field.writeUInt16LE(values.length * 8, 2);
  for (const [index, value] of values.entries()) field.writeBigUInt64LE(BigInt(value), 4 + index * 8);
  return field;
}

/** `UT`: the time of modification, seconds in 4 bytes. */
function timeField({ modifiedAt }: TreeEntry): Buffer {
  const seconds = modifiedAt / 1_000_000_000n;
  if (seconds < -0x80000000n || seconds > 0x7fffffffn) return Buffer.alloc(0);
  const field = Buffer.alloc(9);
  field.writeUInt16LE(0x5455, 0);
  field.writeUInt16LE(5, 2);
  field.writeUInt8(1, 4);
  field.writeInt32LE(Number(seconds), 5);
  return field;
}

/** `ux`: numbers of user and group. */
function ownerField({ uid, gid }: TreeEntry): Buffer {
  const field = Buffer.alloc(15);
  field.writeUInt16LE(0x7875, 0);
  field.writeUInt16LE(11, 2);
  field.writeUInt8(1, 4);
  field.writeUInt8(4, 5);
  field.writeUInt32LE(uid >>> 0, 6);
  field.writeUInt8(4, 10);
  field.writeUInt32LE(gid >>> 0, 11);
  return field;
}
