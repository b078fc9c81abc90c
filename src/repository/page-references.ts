import type { Content } from '../core/tree-entry.ts';
import { decodeTreePage } from './tree-entry-codec.ts';

/** What the pages of trees name. */
export interface PageReferences {
  /** of chunks, 32 bytes each */
  ids: Uint8Array<ArrayBuffer>;
  /** contents whose chunks are listed in pages of their own */
  lists: Content[];
}

/**
 * Gathers the chunks that entries of trees refer to. A collection asks this of every page there is and wants nothing else of
 * them, so the entries are stepped over as CBOR (RFC 8949, section 3) without being made into objects. What is not of the plain
 * kind that Holdfast writes, in whatever way, is decoded in full instead: that decides.
 */
export class PageReferenceCollector {
  #ids = Buffer.alloc(FIRST_IDS * ID_LENGTH);
  #length = 0;
  readonly #lists: Content[] = [];

  /** @throws HoldfastError `metadata-damaged` */
  add(page: Uint8Array): void {
    const before = { length: this.#length, lists: this.#lists.length };
    if (new PageScan(page, this).run()) return;
    this.#length = before.length;
    this.#lists.length = before.lists;
    this.#addDecoded(page);
  }

  addId(id: Uint8Array): void {
    if (this.#length + ID_LENGTH > this.#ids.length) {
      const larger = Buffer.alloc(2 * this.#ids.length);
      larger.set(this.#ids.subarray(0, this.#length));
      this.#ids = larger;
    }
    this.#ids.set(id, this.#length);
    this.#length += ID_LENGTH;
  }

  /** Of entries with a list of chunks in pages of its own: these are few. */
  addEntry(encoded: Uint8Array): void {
    this.#addDecoded(encoded);
  }

  finish(): PageReferences {
    return { ids: Uint8Array.from(this.#ids.subarray(0, this.#length)), lists: this.#lists };
  }

  #addDecoded(page: Uint8Array): void {
    // What is decoded refers to these bytes, which their owner uses again.
    for (const { content } of decodeTreePage(Uint8Array.from(page)).entries) {
      if (content === undefined || 'inline' in content) continue;
      if ('pages' in content) this.#lists.push(content);
      else for (const { id } of content.segments) if (id !== null) this.addId(id);
    }
  }
}

const ID_LENGTH = 32;
const FIRST_IDS = 1024;
const DEEPEST = 8;

/** Major types of CBOR. */
const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const NULL = 0xf6;
const SEGMENTS = Buffer.from('segments');
const PAGES = Buffer.from('pages');

class PageScan {
  readonly #bytes: Buffer;
  readonly #found: PageReferenceCollector;
  #at = 0;
  /** Of the head that was read last. */
  #major = 0;
  #value = 0;

  constructor(page: Uint8Array, found: PageReferenceCollector) {
    this.#bytes = Buffer.from(page.buffer, page.byteOffset, page.length);
    this.#found = found;
  }

  /** @returns false where there is anything that it does not understand */
  run(): boolean {
    while (this.#at < this.#bytes.length) if (!this.#entry()) return false;
    return this.#at === this.#bytes.length;
  }

  #entry(): boolean {
    const start = this.#at;
    if (!this.#headOf(MAP)) return false;
    let hasPages = false;
    for (let left = this.#value; left > 0; left--) {
      if (!this.#headOf(TEXT)) return false;
      const key = this.#at;
      this.#at += this.#value;
      if (this.#at > this.#bytes.length) return false;
      if (this.#isText(key, SEGMENTS)) {
        if (!this.#segments()) return false;
        continue;
      }
      hasPages ||= this.#isText(key, PAGES);
      if (!this.#skip(0)) return false;
    }
    if (this.#at > this.#bytes.length) return false;
    if (hasPages) this.#found.addEntry(this.#bytes.subarray(start, this.#at));
    return true;
  }

  /** [[id or null, length], …] */
  #segments(): boolean {
    if (!this.#headOf(ARRAY)) return false;
    for (let left = this.#value; left > 0; left--) {
      if (!this.#headOf(ARRAY, 2)) return false;
      if (this.#bytes[this.#at] === NULL) this.#at++;
      else {
        if (!this.#headOf(BYTES, ID_LENGTH)) return false;
        const id = this.#at;
        this.#at += ID_LENGTH;
        if (this.#at > this.#bytes.length) return false;
        this.#found.addId(this.#bytes.subarray(id, this.#at));
      }
      if (!this.#headOf(UNSIGNED)) return false;
    }
    return true;
  }

  #skip(depth: number): boolean {
    if (!this.#head()) return false;
    switch (this.#major) {
      case UNSIGNED:
      case NEGATIVE:
        return true;
      case BYTES:
      case TEXT:
        this.#at += this.#value;
        return this.#at <= this.#bytes.length;
      case ARRAY:
      case MAP:
        if (depth === DEEPEST) return false;
        for (let left = this.#major === MAP ? 2 * this.#value : this.#value; left > 0; left--)
          if (!this.#skip(depth + 1)) return false;
        return true;
      default:
        return false;
    }
  }

  /** @param value any, if it is left out */
  #headOf(major: number, value?: number): boolean {
    return this.#head() && this.#major === major && (value === undefined || this.#value === value);
  }

  /** Reads the major type and the number behind it: a value, a length or a count. */
  #head(): boolean {
    const at = this.#at;
    const first = this.#bytes[at];
    if (first === undefined) return false;
    this.#major = first >> 5;
    const info = first & 31;
    if (info < 24) {
      this.#value = info;
      this.#at = at + 1;
      return true;
    }
    const width = 1 << (info - 24);
    if (info > 27 || at + 1 + width > this.#bytes.length) return false;
    this.#value = this.#number(at + 1, width);
    this.#at = at + 1 + width;
    return true;
  }

  #number(at: number, width: number): number {
    if (width === 1) return this.#bytes.readUInt8(at);
    if (width === 2) return this.#bytes.readUInt16BE(at);
    if (width === 4) return this.#bytes.readUInt32BE(at);
    return this.#bytes.readUInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
  }

  #isText(at: number, text: Buffer): boolean {
    if (this.#value !== text.length) return false;
    for (let index = 0; index < text.length; index++) if (this.#bytes[at + index] !== text[index]) return false;
    return true;
  }
}
