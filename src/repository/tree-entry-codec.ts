import { HoldfastError } from '../core/errors.ts';
import type { TreePageReading } from '../core/ports/repository.ts';
import {
  type Content,
  type ContentSegment,
  ENTRY_TYPES,
  type EntryType,
  type MissingRange,
  type TreeEntry,
} from '../core/tree-entry.ts';
import { decodeFirstMetadata, encodeMetadata } from './metadata-encoding.ts';
import { TreeEntryEncoder } from './tree-entry-encoder.ts';
import { TreeEntryReader } from './tree-entry-reader.ts';

/** A tree entry as one CBOR map; pages of a tree are sequences of them (RFC 8742). See docs/repository-format.md. */
export function encodeTreeEntry(entry: TreeEntry): Uint8Array {
  const encoded = encoder.encode(entry);
  return encoded === undefined ? encodeInFull(entry) : new Uint8Array(encoded);
}

const encoder = new TreeEntryEncoder();

/** As any CBOR is encoded. */
export function encodeInFull(entry: TreeEntry): Uint8Array {
  return encodeMetadata({
    path: byteString(entry.path),
    type: entry.type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    user: entry.user,
    group: entry.group,
    mtime: entry.modifiedAt,
    ctime: entry.changedAt,
    inode: entry.inode,
    device: entry.device,
    size: entry.size,
    ...(entry.content === undefined ? {} : encodeContent(entry.content)),
    target: entry.target === undefined ? undefined : byteString(entry.target),
    link: entry.hardLinkGroup,
    major: entry.deviceMajor,
    minor: entry.deviceMinor,
    xattrs: entry.extendedAttributes?.map(({ name, value }) => [byteString(name), value]),
  });
}

/** @throws HoldfastError `metadata-damaged` */
export function decodeTreePage(bytes: Uint8Array): { entries: TreeEntry[]; encoded: Uint8Array[] } {
  const entries: TreeEntry[] = [];
  const encoded: Uint8Array[] = [];
  const decoder = new TreePageDecoder(bytes, false);
  for (let entry = decoder.next(); entry !== undefined; entry = decoder.next()) {
    entries.push(entry);
    encoded.push(decoder.encoded());
  }
  return { entries, encoded };
}

/** Decodes a page's entries one after another. */
export class TreePageDecoder implements TreePageReading {
  readonly #bytes: Uint8Array;
  readonly #reader: TreeEntryReader;
  #start = 0;

  /** @param isInPlace whether contents and attributes may refer to `bytes`, as `encoded` does anyway */
  constructor(bytes: Uint8Array, isInPlace: boolean) {
    this.#bytes = bytes;
    this.#reader = new TreeEntryReader(bytes, isInPlace);
  }

  next(): TreeEntry | undefined {
    this.#start = this.#reader.position;
    if (this.#reader.isAtEnd) return undefined;
    return this.#reader.next() ?? this.#decodeInFull();
  }

  encoded(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#reader.position);
  }

  #decodeInFull(): TreeEntry {
    const { value, encoded } = decodeFirstMetadata(this.#bytes.subarray(this.#start));
    this.#reader.position = this.#start + encoded.length;
    return toTreeEntry(value);
  }
}

/** The fields that stand for a content in an entry's or a snapshot root's map. */
export function encodeContent(content: Content): Record<string, unknown> {
  if ('inline' in content) return { inline: content.inline };
  const missing = content.missing?.map(({ offset, length }) => [offset, length]);
  if ('segments' in content) return { segments: content.segments.map(encodeSegment), missing };
  return { pages: content.pages.map(encodeSegment), depth: content.depth, missing };
}

export function decodeContent(map: Readonly<Record<string, unknown>>): Content | undefined {
  if (map.inline instanceof Uint8Array) return { inline: map.inline };
  const missing = map.missing === undefined ? {} : { missing: toMissingRanges(map.missing) };
  if (Array.isArray(map.segments)) return { segments: map.segments.map(toSegment), ...missing };
  if (Array.isArray(map.pages))
    return { depth: requiredNumber(map.depth), pages: map.pages.map(toSegment), ...missing };
  return undefined;
}

export function encodeSegment(segment: ContentSegment): [Uint8Array | null, number] {
  return [segment.id, segment.length];
}

export function toSegment(value: unknown): ContentSegment {
  if (!Array.isArray(value) || value.length !== 2) throw malformed();
  const [id, length] = value as [unknown, unknown];
  if (id !== null && !(id instanceof Uint8Array && id.length === 32)) throw malformed();
  const bytes = requiredNumber(length);
  if (bytes < 0) throw malformed();
  return { id, length: bytes };
}

function toMissingRanges(value: unknown): MissingRange[] {
  if (!Array.isArray(value)) throw malformed();
  let end = 0;
  return value.map((range) => {
    if (!Array.isArray(range) || range.length !== 2) throw malformed();
    const [offset, length] = range.map(requiredNumber) as [number, number];
    if (offset < end || length < 0) throw malformed();
    end = offset + length;
    return { offset, length };
  });
}

const TYPES: ReadonlySet<unknown> = new Set<unknown>(ENTRY_TYPES);

/** @param value a CBOR map @throws HoldfastError `metadata-damaged` */
export function toTreeEntry(value: unknown): TreeEntry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed();
  const map = value as Readonly<Record<string, unknown>>;
  if (!(map.path instanceof Uint8Array) || !TYPES.has(map.type)) throw malformed();
  const entry: TreeEntry = {
    path: latin1(map.path),
    type: map.type as EntryType,
    mode: requiredNumber(map.mode),
    uid: requiredNumber(map.uid),
    gid: requiredNumber(map.gid),
    modifiedAt: toBigInt(map.mtime) ?? 0n,
  };
  if (typeof map.user === 'string') entry.user = map.user;
  if (typeof map.group === 'string') entry.group = map.group;
  if (map.size !== undefined) entry.size = requiredNumber(map.size);
  if (map.target instanceof Uint8Array) entry.target = latin1(map.target);
  if (typeof map.link === 'string') entry.hardLinkGroup = map.link;
  if (map.major !== undefined) entry.deviceMajor = requiredNumber(map.major);
  if (map.minor !== undefined) entry.deviceMinor = requiredNumber(map.minor);
  const changedAt = toBigInt(map.ctime);
  if (changedAt !== undefined) entry.changedAt = changedAt;
  const inode = toBigInt(map.inode);
  if (inode !== undefined) entry.inode = inode;
  const device = toBigInt(map.device);
  if (device !== undefined) entry.device = device;
  const content = decodeContent(map);
  if (content !== undefined) entry.content = content;
  if (Array.isArray(map.xattrs)) entry.extendedAttributes = map.xattrs.map(toAttribute);
  return entry;
}

function toAttribute(value: unknown): { name: string; value: Uint8Array } {
  if (!Array.isArray(value) || !(value[0] instanceof Uint8Array) || !(value[1] instanceof Uint8Array))
    throw malformed();
  return { name: latin1(value[0]), value: value[1] };
}

function requiredNumber(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw malformed();
  return value;
}

function toBigInt(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return BigInt(requiredNumber(value));
  return undefined;
}

function byteString(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function malformed(): HoldfastError {
  return new HoldfastError(
    'damaged',
    'metadata-damaged',
    'A tree entry in the repository is malformed. Run `holdfast verify` to see which backups are hit.',
  );
}
