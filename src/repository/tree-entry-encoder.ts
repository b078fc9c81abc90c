import type { ContentSegment, TreeEntry } from '../core/tree-entry.ts';

/**
 * Writes an entry's CBOR map (RFC 8949, section 3) straight into memory that is kept, byte for byte as `encodeMetadata` would, which
 * takes five times as long: a backup encodes an entry for each file that is new or changed. Fields stand in canonical order, the
 * shorter name first, equally long ones in the order of bytes.
 */
export class TreeEntryEncoder {
  #bytes = Buffer.allocUnsafeSlow(SMALLEST);
  #at = 0;
  #fields = 0;

  /**
   * @returns the entry's bytes, valid until the next call; undefined where there is something of the rare kinds (lists in pages,
   *   times before 1970, numbers of more than 64 bits), which `encodeMetadata` can encode
   */
  encode(entry: TreeEntry): Uint8Array | undefined {
    if (!isOfCommonKind(entry)) return undefined;
    this.#reserve(entry);
    this.#at = 1;
    this.#fields = 0;
    this.#writeShortNames(entry);
    this.#writeLongNames(entry);
    // Up to 23 fields have their number in the first byte.
    this.#bytes[0] = MAP | this.#fields;
    return this.#bytes.subarray(0, this.#at);
  }

  #writeShortNames(entry: TreeEntry): void {
    this.#number(NAME.gid, entry.gid);
    this.#number(NAME.uid, entry.uid);
    this.#text(NAME.link, entry.hardLinkGroup);
    this.#number(NAME.mode, entry.mode);
    this.#byteString(NAME.path, entry.path);
    this.#number(NAME.size, entry.size);
    this.#text(NAME.type, entry.type);
    this.#text(NAME.user, entry.user);
  }

  #writeLongNames(entry: TreeEntry): void {
    this.#bigint(NAME.ctime, entry.changedAt);
    this.#text(NAME.group, entry.group);
    this.#bigint(NAME.inode, entry.inode);
    this.#number(NAME.major, entry.deviceMajor);
    this.#number(NAME.minor, entry.deviceMinor);
    this.#bigint(NAME.mtime, entry.modifiedAt);
    this.#bigint(NAME.device, entry.device);
    const { content } = entry;
    if (content !== undefined && 'inline' in content) {
      this.#name(NAME.inline);
      this.#byteValue(content.inline);
    }
    this.#byteString(NAME.target, entry.target);
    this.#attributes(entry.extendedAttributes);
    if (content !== undefined && 'segments' in content) this.#segments(content.segments);
  }

  #name(name: Buffer): void {
    this.#fields++;
    this.#bytes.set(name, this.#at);
    this.#at += name.length;
  }

  #number(name: Buffer, value: number | undefined): void {
    if (value === undefined) return;
    this.#name(name);
    this.#head(UNSIGNED, value);
  }

  #bigint(name: Buffer, value: bigint | undefined): void {
    if (value === undefined) return;
    this.#name(name);
    if (value <= MOST_EXACT) {
      this.#head(UNSIGNED, Number(value));
      return;
    }
    this.#bytes[this.#at] = UNSIGNED | 27;
    this.#bytes.writeBigUInt64BE(value, this.#at + 1);
    this.#at += 9;
  }

  #text(name: Buffer, value: string | undefined): void {
    if (value === undefined) return;
    this.#name(name);
    this.#head(TEXT, Buffer.byteLength(value));
    this.#at += this.#bytes.write(value, this.#at, 'utf8');
  }

  #byteString(name: Buffer, value: string | undefined): void {
    if (value === undefined) return;
    this.#name(name);
    this.#latin1(value);
  }

  #latin1(value: string): void {
    this.#head(BYTES, value.length);
    this.#at += this.#bytes.write(value, this.#at, 'latin1');
  }

  #byteValue(value: Uint8Array): void {
    this.#head(BYTES, value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  #attributes(attributes: TreeEntry['extendedAttributes']): void {
    if (attributes === undefined) return;
    this.#name(NAME.xattrs);
    this.#head(ARRAY, attributes.length);
    for (const { name, value } of attributes) {
      this.#head(ARRAY, 2);
      this.#latin1(name);
      this.#byteValue(value);
    }
  }

  #segments(segments: readonly ContentSegment[]): void {
    this.#name(NAME.segments);
    this.#head(ARRAY, segments.length);
    for (const { id, length } of segments) {
      this.#head(ARRAY, 2);
      if (id === null) this.#bytes[this.#at++] = NULL;
      else this.#byteValue(id);
      this.#head(UNSIGNED, length);
    }
  }

  /** A major type and the number behind it, in as few bytes as can be. */
  #head(major: number, value: number): void {
    const bytes = this.#bytes;
    const at = this.#at;
    if (value < 24) {
      bytes[at] = major | value;
      this.#at = at + 1;
    } else if (value < 0x100) {
      bytes[at] = major | 24;
      bytes[at + 1] = value;
      this.#at = at + 2;
    } else if (value < 0x1_0000) {
      bytes[at] = major | 25;
      this.#at = bytes.writeUInt16BE(value, at + 1);
    } else if (value < 0x1_0000_0000) {
      bytes[at] = major | 26;
      this.#at = bytes.writeUInt32BE(value, at + 1);
    } else {
      bytes[at] = major | 27;
      bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at + 1);
      this.#at = bytes.writeUInt32BE(value % 0x1_0000_0000, at + 5);
    }
  }

  /** Makes room for all that an entry can take. */
  #reserve(entry: TreeEntry): void {
    const { content, extendedAttributes: attributes = [] } = entry;
    let most = FIXED + entry.path.length + (entry.target?.length ?? 0);
    for (const text of [entry.user, entry.group, entry.hardLinkGroup]) most += 3 * (text?.length ?? 0);
    for (const { name, value } of attributes) most += FIXED_PART + name.length + value.length;
    if (content !== undefined && 'inline' in content) most += content.inline.length;
    if (content !== undefined && 'segments' in content) most += content.segments.length * FIXED_PART;
    if (most > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(2 * most);
  }
}

function isOfCommonKind(entry: TreeEntry): boolean {
  const { content, mode, uid, gid, size = 0, deviceMajor = 0, deviceMinor = 0 } = entry;
  if (!isCount(mode) || !isCount(uid) || !isCount(gid) || !isCount(size)) return false;
  if (!isCount(deviceMajor) || !isCount(deviceMinor)) return false;
  const { modifiedAt, changedAt = 0n, inode = 0n, device = 0n } = entry;
  if (!isOf64Bits(modifiedAt) || !isOf64Bits(changedAt) || !isOf64Bits(inode) || !isOf64Bits(device)) return false;
  if (content === undefined || 'inline' in content) return true;
  return 'segments' in content && content.missing === undefined && content.segments.every(hasLength);
}

function hasLength({ length }: ContentSegment): boolean {
  return isCount(length);
}

function isOf64Bits(value: bigint): boolean {
  return value >= 0n && value <= MOST;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Major types of CBOR, where they stand in the first byte. */
const UNSIGNED = 0x00;
const BYTES = 0x40;
const TEXT = 0x60;
const ARRAY = 0x80;
const MAP = 0xa0;
const NULL = 0xf6;

const MOST_EXACT = BigInt(Number.MAX_SAFE_INTEGER);
const MOST = 2n ** 64n - 1n;

const NAMES = [
  ...(['gid', 'uid', 'link', 'mode', 'path', 'size', 'type', 'user', 'ctime', 'group', 'inode'] as const),
  ...(['major', 'minor', 'mtime', 'device', 'inline', 'target', 'xattrs', 'segments'] as const),
];
/** With their heads. */
const NAME = Object.fromEntries(
  NAMES.map((name) => [name, Buffer.concat([Buffer.of(TEXT | name.length), Buffer.from(name, 'latin1')])]),
) as Record<(typeof NAMES)[number], Buffer>;

const SMALLEST = 16_384;
/** More than all names, numbers and heads of an entry take, and the longest name of a type. */
const FIXED = 512;
/** More than an id and the heads and numbers of a segment, or the heads of an attribute, take. */
const FIXED_PART = 64;
