import type { ByteString } from '../../../core/tree-entry.ts';
import { archiveUnreadable } from './archive-fault.ts';

/** The header of an entry, as its blocks were written: the plain one comes last, extended ones before it. */
export interface TarHeaders {
  /** Extended headers that are for all entries that follow; they belong to the archive. */
  global: readonly Buffer[];
  own: readonly HeaderUnit[];
}

/** A header block with what belongs to it. */
interface HeaderUnit {
  type: string;
  block: Buffer;
  /** With its padding; empty for the plain one. */
  body: Buffer;
  /** Of an extended header. */
  records: readonly PaxRecord[];
}

export interface PaxRecord {
  key: ByteString;
  value: ByteString;
  /** With its length and the line break. */
  raw: Buffer;
}

export const BLOCK = 512;

/**
 * Takes the blocks before an entry's data apart.
 * @throws HoldfastError `variant-content-unreadable`
 */
export function tarHeaders(blocks: Buffer): TarHeaders {
  const units: HeaderUnit[] = [];
  for (let at = 0; at < blocks.length; ) {
    const block = blocks.subarray(at, at + BLOCK);
    const isPlain = at + BLOCK === blocks.length;
    const type = String.fromCharCode(block[156] ?? 0);
    if (!block.some((byte) => byte !== 0)) throw archiveUnreadable('it goes on behind its end');
    if (isPlain) units.push({ type, block, body: blocks.subarray(blocks.length), records: [] });
    else if (!'xgLK'.includes(type)) throw archiveUnreadable('it holds a header of an unknown kind');
    const size = isPlain ? 0 : extendedSize(block);
    const end = at + BLOCK + size;
    if (!isPlain) {
      const records = type === 'x' || type === 'g' ? paxRecords(blocks.subarray(at + BLOCK, end)) : [];
      units.push({ type, block, body: blocks.subarray(at + BLOCK, end + paddingLength(size)), records });
    }
    at = end + paddingLength(size);
  }
  const own = units.filter(({ type }) => type !== 'g');
  if (own.filter(({ type }) => type === 'x').length > 1) throw archiveUnreadable('an entry has two extended headers');
  const global = units.filter(({ type }) => type === 'g');
  if (global.some(({ records }) => records.some(({ key }) => ENTRY_KEYS.test(key))))
    throw archiveUnreadable('a global header of it names, or gives the size of, what follows');
  return { global: global.map(({ block, body }) => Buffer.concat([block, body])), own };
}

/** What an extended header says of the entry. */
export function recordOf({ own }: TarHeaders, key: string): ByteString | undefined {
  return own.flatMap(({ records }) => records).findLast((record) => record.key === key)?.value;
}

export function isSparse({ own }: TarHeaders): boolean {
  return own.some(({ records }) => records.some(({ key }) => key.startsWith('GNU.sparse.')));
}

/** The headers' bytes. */
export function headerBytes({ own }: TarHeaders): Buffer {
  return Buffer.concat(own.flatMap(({ block, body }) => [block, body]));
}

/** The headers' bytes for data of another size; all else that they say stays. */
export function headerBytesWithSize({ own }: TarHeaders, size: number): Buffer {
  return Buffer.concat(
    own.flatMap(({ type, block, body, records }, index) => {
      if (index === own.length - 1) return [withSize(block, size)];
      const others = records.filter(({ key }) => key !== 'size');
      if (type !== 'x' || others.length === records.length) return [block, body];
      if (others.length === 0) return [];
      const kept = Buffer.concat(others.map(({ raw }) => raw));
      return [withSize(block, kept.length), kept, Buffer.alloc(paddingLength(kept.length))];
    }),
  );
}

/** Zeros from the end of so many bytes to the next block. */
export function paddingLength(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** What only an entry's own header may say. */
const ENTRY_KEYS = /^(?:path|linkpath|size|GNU\.sparse\..*)$/s;
/** What eleven octal digits hold. */
const LARGEST_OCTAL = 0o77777777777;
const CHECKSUM = 148;
const SIZE = 124;

function extendedSize(block: Buffer): number {
  const digits = /^ *([0-7]+)[ \0]/.exec(block.toString('latin1', SIZE, SIZE + 12))?.[1];
  if (digits === undefined) throw archiveUnreadable('the length of a header of it is no number');
  return Number.parseInt(digits, 8);
}

/** Records `length key=value\n`, where the length counts its own digits (POSIX.1-2017, `pax`, "pax Extended Header"). */
function paxRecords(body: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < body.length; ) {
    const digits = /^[1-9][0-9]{0,8}(?= )/.exec(body.toString('latin1', at, at + 10))?.[0] ?? '';
    const raw = body.subarray(at, at + Number(digits));
    const text = raw.toString('latin1', digits.length + 1);
    const equals = text.indexOf('=');
    if (digits === '' || raw.length !== Number(digits) || equals < 1 || !text.endsWith('\n'))
      throw archiveUnreadable('an extended header of it is malformed');
    const [key, value] = [text.slice(0, equals), text.slice(equals + 1, -1)];
    if (key === 'size' && !/^[0-9]{1,15}$/.test(value)) throw archiveUnreadable('the size of an entry is no number');
    records.push({ key, value, raw });
    at += raw.length;
  }
  return records;
}

/** A plain header for another size; sizes from 8 GiB on in base 256, as GNU tar, libarchive and Python read them. */
function withSize(block: Buffer, size: number): Buffer {
  const changed = Buffer.from(block);
  if (size <= LARGEST_OCTAL) changed.write(`${size.toString(8).padStart(11, '0')}\0`, SIZE, 'latin1');
  else {
    changed.fill(0, SIZE, SIZE + 12);
    changed[SIZE] = 0x80;
    changed.writeBigUInt64BE(BigInt(size), SIZE + 4);
  }
  changed.fill(' ', CHECKSUM, CHECKSUM + 8);
  const sum = changed.reduce((total, byte) => total + byte, 0);
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, CHECKSUM, 'latin1');
  return changed;
}
