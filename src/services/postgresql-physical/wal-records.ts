import { endianness } from 'node:os';
import { readSegmentHeader } from './wal-page.ts';
import type { Lsn } from './wal-position.ts';

/** A record of the WAL, whole. */
export interface WalRecord {
  start: Lsn;
  /** Where the next one can begin: LSNs that servers tell are these. */
  end: Lsn;
  /** The number of the resource manager that wrote it, the same in all versions (`rmgrlist.h`). */
  manager: number;
  info: number;
  /** Its first bytes, from its header on. */
  head: Buffer;
}

const PAGE_BYTES = 8192;
const SHORT_HEADER_BYTES = 24;
const LONG_HEADER_BYTES = 40;
const RECORD_HEADER_BYTES = 24;
const BEGINS_WITHIN_RECORD = 0x1;
const IS_LONG = 0x2;
/** What a name of a folder needs, and all that stands before it. */
const HEAD_BYTES = 2048;
const XLOG_MANAGER = 0;
const SWITCH = 0x40;

/**
 * Finds the records in WAL, by the formats of `xlogrecord.h` and `xlog_internal.h` (unchanged since PostgreSQL 9.5). It can begin at any segment: each
 * page says how much of it belongs to a record of the page before. Checksums of records are not looked at; servers do.
 */
export class WalRecords {
  readonly #onRecord: (record: WalRecord) => void;
  #page = Buffer.alloc(PAGE_BYTES);
  #pageBytes = PAGE_BYTES;
  #knowsPageBytes = false;
  #filled = 0;
  /** Of the page that is being filled. */
  #at: Lsn = 0n;
  #segmentEnd: Lsn = 0n;
  #isLittle = true;
  /** After a switch of segments, or where the WAL ends: what follows in this segment holds no records. */
  #isOver = false;
  #open: OpenRecord | undefined;

  constructor(onRecord: (record: WalRecord) => void) {
    this.#onRecord = onRecord;
  }

  /** Must be called before the bytes of each segment. A record that goes over from the one before is followed. */
  beginSegment(start: Lsn, segmentBytes: number): void {
    if (start !== this.#segmentEnd) this.#open = undefined;
    this.#at = start;
    this.#segmentEnd = start + BigInt(segmentBytes);
    this.#filled = 0;
    this.#isOver = false;
    this.#knowsPageBytes = false;
  }

  push(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length && !this.#isOver; ) {
      const piece = bytes.subarray(from, from + this.#pageBytes - this.#filled);
      this.#page.set(piece, this.#filled);
      this.#filled += piece.length;
      from += piece.length;
      if (!this.#knowsPageBytes && this.#filled >= LONG_HEADER_BYTES) this.#learnPageBytes();
      if (this.#filled === this.#pageBytes) this.#endPage();
    }
  }

  /** Whether the bytes that came end within a record. */
  isWithinRecord(): boolean {
    return this.#open !== undefined;
  }

  /** To be called where a log ends within a page. */
  endLog(): void {
    if (!this.#isOver && this.#filled > 0) this.#endPage();
  }

  /** A server may have been built with other pages. */
  #learnPageBytes(): void {
    this.#knowsPageBytes = true;
    if (readSegmentHeader(this.#page) === undefined) return;
    this.#isLittle = this.#page[1] === 0xd1;
    const size = this.#u32(this.#page, 36);
    if (size === this.#pageBytes || size < 1024 || size > 65536) return;
    const page = Buffer.alloc(size);
    this.#page.copy(page, 0, 0, Math.min(this.#filled, size));
    this.#page = page;
    this.#pageBytes = size;
  }

  #endPage(): void {
    const page = this.#page.subarray(0, this.#filled);
    this.#filled = 0;
    this.#read(page);
    this.#at += BigInt(this.#pageBytes);
  }

  #read(page: Buffer): void {
    const info = page.length < SHORT_HEADER_BYTES ? 0 : this.#u16(page, 2);
    const headerBytes = (info & IS_LONG) === 0 ? SHORT_HEADER_BYTES : LONG_HEADER_BYTES;
    if (page.length < headerBytes || this.#u64(page, 8) !== this.#at) {
      this.#open = undefined;
      this.#isOver = true;
      return;
    }
    let offset = headerBytes;
    const rest = (info & BEGINS_WITHIN_RECORD) === 0 ? 0 : this.#u32(page, 16);
    // A record that does not go on was given up, in a crash of the server.
    if (this.#open !== undefined && this.#open.total - this.#open.got !== rest) this.#open = undefined;
    if (rest > 0) offset = this.#take(page, offset, rest);
    while (!this.#isOver && offset + 4 <= page.length) {
      const total = this.#u32(page, offset);
      if (total < RECORD_HEADER_BYTES) break;
      this.#open = { start: this.#at + BigInt(offset), total, got: 0, head: [] };
      offset = this.#take(page, offset, total);
    }
  }

  /** Takes the bytes of a record that are in this page. @returns where the next one begins */
  #take(page: Buffer, offset: number, length: number): number {
    const next = Math.ceil((offset + length) / 8) * 8;
    const open = this.#open;
    if (open === undefined) return next;
    const bytes = page.subarray(offset, offset + length);
    if (open.got < HEAD_BYTES) open.head.push(Buffer.from(bytes.subarray(0, HEAD_BYTES - open.got)));
    open.got += bytes.length;
    if (open.got === open.total) this.#complete(open, this.#at + BigInt(next));
    return next;
  }

  #complete({ start, head: pieces }: OpenRecord, end: Lsn): void {
    this.#open = undefined;
    const head = Buffer.concat(pieces);
    const record = { start, end, info: head[16] ?? 0, manager: head[17] ?? 0, head };
    if (record.manager === XLOG_MANAGER && (record.info & 0xf0) === SWITCH) {
      this.#isOver = true;
      record.end = this.#segmentEnd;
    }
    this.#onRecord(record);
  }

  #u16(bytes: Buffer, at: number): number {
    return this.#isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
  }

  #u32(bytes: Buffer, at: number): number {
    return this.#isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  }

  #u64(bytes: Buffer, at: number): bigint {
    return this.#isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at);
  }
}

interface OpenRecord {
  start: Lsn;
  total: number;
  got: number;
  head: Buffer[];
}

const TABLESPACE_MANAGER = 5;
const CREATE = 0x00;
/** Of the parts of a record (`xlogrecord.h`). */
const PART = { topLevelTransaction: 252, origin: 253, longData: 254, shortData: 255 };

/**
 * The folder of a tablespace that a record makes. A server that replays it uses that very folder, whatever other data folder it
 * works on.
 * @returns undefined for other records
 */
export function tablespaceOf({ manager, info, head }: WalRecord): string | undefined {
  if (manager !== TABLESPACE_MANAGER || (info & 0xf0) !== CREATE) return undefined;
  const path = dataOf(head).subarray(4);
  const end = path.indexOf(0);
  return path.subarray(0, end < 0 ? path.length : end).toString();
}

const TRANSACTION_MANAGER = 1;
/** What a record of a transaction does (`xact.h`): commit, abort, and the same of one that was prepared. */
const ENDS: ReadonlySet<number> = new Set([0x00, 0x20, 0x30, 0x40]);
const WHAT_IT_DOES = 0x70;
/** From 1970, when our times begin, to 2000, when PostgreSQL's do; microseconds. */
const EPOCH = 946_684_800_000_000n;

/**
 * When a transaction ended, by the clock of its server, where a record is the end of one: what servers compare with the time that they are to
 * recover to. In the byte order of this machine: a server here can replay no other.
 * @returns microseconds since 1970; undefined for other records
 */
export function transactionEndOf({ manager, info, head }: WalRecord): bigint | undefined {
  if (manager !== TRANSACTION_MANAGER || !ENDS.has(info & WHAT_IT_DOES)) return undefined;
  const data = dataOf(head);
  if (data.length < 8) return undefined;
  return EPOCH + (endianness() === 'LE' ? data.readBigInt64LE(0) : data.readBigInt64BE(0));
}

/** What a resource manager wrote into a record that changes no pages by itself. */
function dataOf(head: Buffer): Buffer {
  for (let at = RECORD_HEADER_BYTES; at < head.length; ) {
    const part = head[at];
    if (part === PART.origin) at += 3;
    else if (part === PART.topLevelTransaction) at += 5;
    else return head.subarray(at + (part === PART.shortData ? 2 : 5));
  }
  return Buffer.alloc(0);
}
