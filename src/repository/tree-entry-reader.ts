import { type Content, type ContentSegment, ENTRY_TYPES, type EntryType, type TreeEntry } from '../core/tree-entry.ts';

/**
 * Reads the entries of a tree's page straight from its CBOR (RFC 8949, section 3), in a tenth of the time that decoding any CBOR
 * takes: each backup that builds on another reads all of its base's entries. It knows the plain kind of entry that Holdfast itself
 * writes, with its fields in canonical order. Whatever is another, in whatever way, it leaves to `decodeTreePage`, which
 * decodes it in full and decides.
 */
export class TreeEntryReader {
  readonly #bytes: Buffer;
  readonly #isInPlace: boolean;
  /** Where the next entry begins. */
  position = 0;
  #at = 0;
  /** Something is not of the plain kind. */
  #isOther = false;

  /** @param isInPlace whether contents and attributes may refer to `page`'s memory; else they are copied */
  constructor(page: Uint8Array, isInPlace: boolean) {
    this.#bytes = Buffer.from(page.buffer, page.byteOffset, page.length);
    this.#isInPlace = isInPlace;
  }

  get isAtEnd(): boolean {
    return this.position >= this.#bytes.length;
  }

  /** The entry at `position`, which is behind it then; undefined where it is not of the plain kind. */
  next(): TreeEntry | undefined {
    this.#at = this.position;
    this.#isOther = false;
    const entry: TreeEntry = { path: '', type: 'file', mode: -1, uid: -1, gid: -1, modifiedAt: 0n };
    const seen = this.#fields(entry);
    if (this.#isOther || (seen & REQUIRED) !== REQUIRED || this.#at > this.#bytes.length) return undefined;
    this.position = this.#at;
    return entry;
  }

  /** @returns a bit for each field that was there */
  #fields(entry: TreeEntry): number {
    let seen = 0;
    let field = 0;
    for (let left = this.#length(MAP); left > 0 && !this.#isOther; left--, field++) {
      field = this.#field(field);
      seen |= 1 << field;
      this.#take(field, entry);
    }
    return seen;
  }

  /** Which of the fields from `first` on comes here. Each is looked for behind the one before, so none can come twice. */
  #field(first: number): number {
    const length = this.#length(TEXT);
    const at = this.#at;
    this.#at += length;
    for (let field = first; field < FIELDS.length; field++) {
      const name = FIELDS[field] as Buffer;
      if (name.length === length && this.#holds(at, name)) return field;
    }
    this.#isOther = true;
    return first;
  }

  #take(field: number, entry: TreeEntry): void {
    switch (field) {
      case FIELD.gid:
        entry.gid = this.#number();
        return;
      case FIELD.uid:
        entry.uid = this.#number();
        return;
      case FIELD.link:
        entry.hardLinkGroup = this.#ascii();
        return;
      case FIELD.mode:
        entry.mode = this.#number();
        return;
      case FIELD.path:
        entry.path = this.#byteString();
        return;
      case FIELD.size:
        entry.size = this.#number();
        return;
      case FIELD.type:
        entry.type = this.#type();
        return;
      case FIELD.user:
        entry.user = this.#ascii();
        return;
      case FIELD.ctime:
        entry.changedAt = this.#bigint();
        return;
      case FIELD.group:
        entry.group = this.#ascii();
        return;
      case FIELD.inode:
        entry.inode = this.#bigint();
        return;
      case FIELD.mtime:
        entry.modifiedAt = this.#bigint();
        return;
      case FIELD.device:
        entry.device = this.#bigint();
        return;
      case FIELD.inline:
        entry.content = { inline: this.#byteValue() };
        return;
      case FIELD.target:
        entry.target = this.#byteString();
        return;
      case FIELD.xattrs:
        entry.extendedAttributes = this.#attributes();
        return;
      case FIELD.segments:
        // A map with both has the content that stands first where it is decoded in full.
        if (entry.content !== undefined) this.#isOther = true;
        entry.content = this.#segments();
    }
  }

  #type(): EntryType {
    const length = this.#length(TEXT);
    const at = this.#at;
    this.#at += length;
    for (const { type, name } of TYPES) if (name.length === length && this.#holds(at, name)) return type;
    this.#isOther = true;
    return 'file';
  }

  /** [[id or null, length], …] */
  #segments(): Content {
    const segments: ContentSegment[] = [];
    for (let left = this.#length(ARRAY); left > 0 && !this.#isOther; left--) {
      if (this.#length(ARRAY) !== 2) this.#isOther = true;
      let id: Uint8Array | null = null;
      if (this.#bytes[this.#at] === NULL) this.#at++;
      else {
        id = this.#byteValue();
        if (id.length !== ID_LENGTH) this.#isOther = true;
      }
      segments.push({ id, length: this.#number() });
    }
    return { segments };
  }

  /** [[name, value], …] */
  #attributes(): { name: string; value: Uint8Array }[] {
    const attributes: { name: string; value: Uint8Array }[] = [];
    for (let left = this.#length(ARRAY); left > 0 && !this.#isOther; left--) {
      if (this.#length(ARRAY) !== 2) this.#isOther = true;
      attributes.push({ name: this.#byteString(), value: this.#byteValue() });
    }
    return attributes;
  }

  #byteString(): string {
    const length = this.#length(BYTES);
    const at = this.#at;
    this.#at += length;
    return this.#bytes.toString('latin1', at, this.#at);
  }

  #byteValue(): Uint8Array {
    const length = this.#length(BYTES);
    const { buffer, byteOffset } = this.#bytes;
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) {
      this.#isOther = true;
      return NOTHING;
    }
    const value = new Uint8Array(buffer, byteOffset + at, length);
    return this.#isInPlace ? value : new Uint8Array(value);
  }

  /** Text beyond ASCII may be no UTF-8, which is for others to judge. */
  #ascii(): string {
    const length = this.#length(TEXT);
    const end = this.#at + length;
    for (let at = this.#at; at < end; at++)
      if ((this.#bytes[at] ?? 0x80) >= 0x80) {
        this.#isOther = true;
        return '';
      }
    const text = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end;
    return text;
  }

  #number(): number {
    const value = this.#length(UNSIGNED);
    if (value > Number.MAX_SAFE_INTEGER) this.#isOther = true;
    return value;
  }

  #bigint(): bigint {
    const at = this.#at;
    if (this.#bytes[at] !== LONG || at + 9 > this.#bytes.length) return BigInt(this.#number());
    this.#at = at + 9;
    return this.#bytes.readBigUInt64BE(at + 1);
  }

  /** The number behind a major type: a value, a length or a count. 0 where another one comes. */
  #length(major: number): number {
    const bytes = this.#bytes;
    const at = this.#at;
    const first = bytes[at] ?? 0xff;
    const info = first & 31;
    if (first >> 5 === major && info < 24) {
      this.#at = at + 1;
      return info;
    }
    const width = 1 << (info - 24);
    if (first >> 5 !== major || info > 27 || at + 1 + width > bytes.length) {
      this.#isOther = true;
      return 0;
    }
    this.#at = at + 1 + width;
    if (width === 1) return bytes[at + 1] as number;
    if (width === 2) return bytes.readUInt16BE(at + 1);
    if (width === 4) return bytes.readUInt32BE(at + 1);
    return bytes.readUInt32BE(at + 1) * 2 ** 32 + bytes.readUInt32BE(at + 5);
  }

  #holds(at: number, text: Buffer): boolean {
    for (let index = 0; index < text.length; index++) if (this.#bytes[at + index] !== text[index]) return false;
    return true;
  }
}

/** Major types of CBOR. */
const UNSIGNED = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const NULL = 0xf6;
/** An unsigned number of 64 bits. */
const LONG = 0x1b;
const ID_LENGTH = 32;
const NOTHING = new Uint8Array(0);

/** In canonical order: the shorter name first, equally long ones in the order of bytes. */
const NAMES = [
  ...(['gid', 'uid', 'link', 'mode', 'path', 'size', 'type', 'user', 'ctime', 'group', 'inode'] as const),
  ...(['mtime', 'device', 'inline', 'target', 'xattrs', 'segments'] as const),
];
const FIELDS = NAMES.map((name) => Buffer.from(name, 'latin1'));
const FIELD = Object.fromEntries(NAMES.map((name, field) => [name, field])) as Record<(typeof NAMES)[number], number>;
const REQUIRED = (1 << FIELD.path) | (1 << FIELD.type) | (1 << FIELD.mode) | (1 << FIELD.uid) | (1 << FIELD.gid);

const TYPES = ENTRY_TYPES.map((type) => ({ type, name: Buffer.from(type, 'latin1') }));
