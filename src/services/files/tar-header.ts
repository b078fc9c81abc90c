import type { ByteString, ContentSegment, EntryType, TreeEntry } from '../../core/tree-entry.ts';

/** Tar archives of the pax format (POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Extended Header"). */

export const BLOCK = 512;

/** One entry of an archive; where it leaves holes out, `data` comes right after the headers and is what the file has of its own. */
export interface TarEntry {
  entry: TreeEntry;
  /** Byte string, relative. */
  name: ByteString;
  linkTo?: ByteString;
  sparse?: readonly ContentSegment[];
}

/** The headers of an entry, extended ones only where the plain one cannot hold something; whole blocks. */
export function tarHeader({ entry, name, linkTo, sparse }: TarEntry): Buffer {
  const map = sparse === undefined ? undefined : sparseMap(sparse);
  const isFile = entry.type === 'file' && linkTo === undefined;
  const size = !isFile ? 0 : map === undefined ? (entry.size ?? 0) : map.length + dataBytes(sparse ?? []);
  const typeFlag = linkTo === undefined ? TYPE_FLAGS[entry.type] : '1';
  const target = linkTo ?? entry.target ?? '';
  const fullName = entry.type === 'directory' ? `${name}/` : name;
  const records: Buffer[] = [];
  const add = (key: string, value: string | Uint8Array): void => void records.push(paxRecord(key, value));
  const shownName = map === undefined ? fullName : sparseName(name);
  if (map !== undefined) {
    add('GNU.sparse.major', '1');
    add('GNU.sparse.minor', '0');
    add('GNU.sparse.name', name);
    add('GNU.sparse.realsize', `${entry.size ?? 0}`);
  }
  if (!fitsText(shownName, NAME_LENGTH)) add('path', shownName);
  if (!fitsText(target, NAME_LENGTH)) add('linkpath', target);
  if (size > LARGEST_12) add('size', `${size}`);
  if (entry.uid > LARGEST_8) add('uid', `${entry.uid}`);
  if (entry.gid > LARGEST_8) add('gid', `${entry.gid}`);
  const { user = '', group = '' } = entry;
  if (!fitsText(latin1(user), ACCOUNT_LENGTH)) add('uname', latin1(user));
  if (!fitsText(latin1(group), ACCOUNT_LENGTH)) add('gname', latin1(group));
  const seconds = floorSeconds(entry.modifiedAt);
  if (entry.modifiedAt % SECOND !== 0n || seconds < 0n || seconds > LARGEST_12) add('mtime', decimal(entry.modifiedAt));
  if (linkTo === undefined)
    for (const { name: attribute, value } of entry.extendedAttributes ?? [])
      add(`SCHILY.xattr.${attribute.replaceAll('%', '%25').replaceAll('=', '%3D')}`, value);
  const plain = { entry, typeFlag, size, target, seconds };
  const header = ustarHeader({ ...plain, name: shownName });
  const rest = map === undefined ? [] : [map];
  if (records.length === 0) return Buffer.concat([header, ...rest]);
  const extended = padded(Buffer.concat(records));
  const length = records.reduce((sum, record) => sum + record.length, 0);
  const extendedHeader = ustarHeader({ ...plain, name: PAX_NAME, typeFlag: 'x', size: length, target: '' });
  return Buffer.concat([extendedHeader, extended, header, ...rest]);
}

/** Two blocks of zeros. */
export const TAR_END: Uint8Array = new Uint8Array(BLOCK * 2);

/** Zeros from the end of so many bytes to the next block. */
export function paddingAfter(size: number): Uint8Array {
  return TAR_END.subarray(0, (BLOCK - (size % BLOCK)) % BLOCK);
}

export function dataBytes(segments: readonly ContentSegment[]): number {
  return segments.reduce((sum, { id, length }) => sum + (id === null ? 0 : length), 0);
}

const TYPE_FLAGS: Readonly<Record<EntryType, string>> = {
  file: '0',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
  socket: '0',
};
const NAME_LENGTH = 100;
const ACCOUNT_LENGTH = 31;
/** What octal digits hold in fields of 8 and 12 bytes. */
const LARGEST_8 = 0o7777777;
const LARGEST_12 = 0o77777777777;
const SECOND = 1_000_000_000n;
const PAX_NAME = './PaxHeaders/entry';

interface UstarFields {
  entry: TreeEntry;
  name: ByteString;
  typeFlag: string;
  size: number;
  target: ByteString;
  seconds: bigint;
}

/** What does not fit is cut or zero: an extended header says it then. */
function ustarHeader({ entry, name, typeFlag, size, target, seconds }: UstarFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name.slice(0, NAME_LENGTH), 0, 'latin1');
  octal(block, 100, 8, entry.mode & 0o7777);
  octal(block, 108, 8, entry.uid);
  octal(block, 116, 8, entry.gid);
  octal(block, 124, 12, size);
  octal(block, 136, 12, seconds < 0n || seconds > LARGEST_12 ? 0 : Number(seconds));
  block.write(typeFlag, 156, 'latin1');
  block.write(target.slice(0, NAME_LENGTH), 157, 'latin1');
  block.write('ustar\0' + '00', 257, 'latin1');
  block.write(latin1(entry.user ?? '').slice(0, ACCOUNT_LENGTH), 265, 'latin1');
  block.write(latin1(entry.group ?? '').slice(0, ACCOUNT_LENGTH), 297, 'latin1');
  octal(block, 329, 8, entry.deviceMajor ?? 0);
  octal(block, 337, 8, entry.deviceMinor ?? 0);
  block.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Larger numbers in base 256, as GNU tar and others read them. */
function octal(block: Buffer, offset: number, length: number, value: number): void {
  const text = value.toString(8);
  if (text.length < length) {
    block.write(text.padStart(length - 1, '0'), offset, 'latin1');
    return;
  }
  let left = BigInt(value);
  for (let at = offset + length - 1; at > offset; at--, left >>= 8n) block[at] = Number(left & 0xffn);
  block[offset] = 0x80;
}

/** `length key=value\n`, where the length counts its own digits. */
function paxRecord(key: ByteString, value: ByteString | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  const rest = key.length + bytes.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, 'latin1'), bytes, NEWLINE]);
}

const NEWLINE = Buffer.from('\n');

/** Whether a field holds a text: pure ASCII, as its encoding is nowhere said. */
function fitsText(text: ByteString, length: number): boolean {
  return text.length <= length && /^[\x20-\x7e]*$/.test(text);
}

function latin1(text: string): ByteString {
  return Buffer.from(text).toString('latin1');
}

function floorSeconds(nanoseconds: bigint): bigint {
  const seconds = nanoseconds / SECOND;
  return nanoseconds % SECOND < 0n ? seconds - 1n : seconds;
}

/** Seconds since 1970 with all nanoseconds, as extended headers have them. */
function decimal(nanoseconds: bigint): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = String(size % SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${nanoseconds < 0n ? '-' : ''}${size / SECOND}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Holes left out as GNU tar's sparse format 1.0 has it, which libarchive and Python read as well. */
function sparseMap(segments: readonly ContentSegment[]): Buffer {
  const runs: { offset: number; length: number }[] = [];
  let offset = 0;
  for (const { id, length } of segments) {
    const last = runs.at(-1);
    if (id !== null && last !== undefined && last.offset + last.length === offset) last.length += length;
    else if (id !== null) runs.push({ offset, length });
    offset += length;
  }
  // A hole at the end is told by an empty run.
  const last = runs.at(-1);
  if (last === undefined || last.offset + last.length < offset) runs.push({ offset, length: 0 });
  const lines = [runs.length, ...runs.flatMap((run) => [run.offset, run.length])];
  return padded(Buffer.from(`${lines.join('\n')}\n`));
}

function sparseName(name: ByteString): ByteString {
  const slash = name.lastIndexOf('/') + 1;
  return `${name.slice(0, slash)}GNUSparseFile.0/${name.slice(slash)}`;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, paddingAfter(bytes.length)]);
}
