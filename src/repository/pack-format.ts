import { HoldfastError } from '../core/errors.ts';

/** A pack holds chunks: a header, frames one after another, an encrypted footer that lists them, a trailer. */
export const PACK_KIND = { data: 1, metadata: 2 } as const;
export type PackKind = (typeof PACK_KIND)[keyof typeof PACK_KIND];

export const PACK_HEADER_LENGTH = 64;
/** Magic, ordinal and length in front of each sealed record. */
export const RECORD_HEADER_LENGTH = 12;
export const PACK_TRAILER_LENGTH = 16;
/** Codec, zero, chunk count, plain length of the body: the first bytes of a frame's plaintext. */
export const FRAME_TABLE_HEADER_LENGTH = 8;
export const FRAME_TABLE_ROW_LENGTH = 36;
export const CHUNK_ID_LENGTH = 32;
export const FOOTER_ORDINAL = 0xffffffff;
/** No frame may hold more plain bytes than this, and no record of one may be longer. */
export const LARGEST_FRAME = 32 * 1024 * 1024;

const PACK_MAGIC = 0x4846504b; // HFPK
export const FRAME_MAGIC = 0x48464652; // HFFR
export const FOOTER_MAGIC = 0x48464654; // HFFT
const TRAILER_MAGIC = 0x48465045; // HFPE
const VERSION = 1;

export interface PackHeader {
  kind: PackKind;
  cipher: number;
  epoch: number;
  repositoryId: string;
  salt: Uint8Array;
}

export function packKey(idHex: string): string {
  return `packs/${idHex.slice(0, 2)}/${idHex}`;
}

/** The id of a pack from its storage key, or undefined where the key is no pack's. */
export function packIdOf(key: string): string | undefined {
  return /^packs\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(key)?.[1];
}

export function encodePackHeader(header: PackHeader): Buffer {
  const bytes = Buffer.alloc(PACK_HEADER_LENGTH);
  bytes.writeUInt32BE(PACK_MAGIC, 0);
  bytes[4] = VERSION;
  bytes[5] = header.kind;
  bytes[6] = header.cipher;
  bytes[7] = header.epoch;
  bytes.write(header.repositoryId, 8, 'hex');
  bytes.set(header.salt, 24);
  return bytes;
}

/** @throws HoldfastError `pack-damaged` (damaged) or `format-newer` (unsupported) */
export function decodePackHeader(bytes: Buffer, key: string): PackHeader {
  if (bytes.length < PACK_HEADER_LENGTH || bytes.readUInt32BE(0) !== PACK_MAGIC)
    throw packDamaged(key, 'its header is not one of a pack');
  if ((bytes[4] as number) > VERSION) {
    throw new HoldfastError(
      'unsupported',
      'format-newer',
      `${key} was written by a newer Holdfast. Nothing is wrong with it: use a newer version.`,
      { details: { object: key } },
    );
  }
  const kind = bytes[5];
  if (kind !== PACK_KIND.data && kind !== PACK_KIND.metadata) throw packDamaged(key, 'its header names no known kind');
  return {
    kind,
    cipher: bytes[6] as number,
    epoch: bytes[7] as number,
    repositoryId: bytes.toString('hex', 8, 24),
    salt: bytes.subarray(24, 56),
  };
}

/** What a record is sealed with besides its bytes: the pack's header, the record's magic and its ordinal. */
export function recordAssociatedData(header: Buffer, magic: number, ordinal: number): Buffer {
  const bytes = Buffer.allocUnsafe(PACK_HEADER_LENGTH + 8);
  header.copy(bytes, 0, 0, PACK_HEADER_LENGTH);
  bytes.writeUInt32BE(magic, PACK_HEADER_LENGTH);
  bytes.writeUInt32BE(ordinal, PACK_HEADER_LENGTH + 4);
  return bytes;
}

export interface FrameChunk {
  id: Uint8Array;
  /** plain bytes */
  length: number;
}

export interface FooterFrame {
  /** of the frame's record header in the pack */
  offset: number;
  /** of the record header and the sealed record together */
  length: number;
  chunks: FrameChunk[];
}

/** Per frame: offset, length, chunk count (u32 each); per chunk of it: id and plain length. All big-endian. */
export function encodeFooter(frames: readonly FooterFrame[]): Buffer {
  const chunks = frames.reduce((sum, frame) => sum + frame.chunks.length, 0);
  const bytes = Buffer.allocUnsafe(4 + frames.length * 12 + chunks * FRAME_TABLE_ROW_LENGTH);
  let at = bytes.writeUInt32BE(frames.length, 0);
  for (const frame of frames) {
    at = bytes.writeUInt32BE(frame.offset, at);
    at = bytes.writeUInt32BE(frame.length, at);
    at = bytes.writeUInt32BE(frame.chunks.length, at);
    for (const chunk of frame.chunks) {
      bytes.set(chunk.id, at);
      at = bytes.writeUInt32BE(chunk.length, at + CHUNK_ID_LENGTH);
    }
  }
  return bytes;
}

/** @throws HoldfastError `pack-damaged` */
export function decodeFooter(bytes: Buffer, key: string): FooterFrame[] {
  const reader = new BoundedReader(bytes, key);
  const frames: FooterFrame[] = [];
  const count = reader.u32();
  for (let index = 0; index < count; index++) {
    const offset = reader.u32();
    const length = reader.u32();
    frames.push({ offset, length, chunks: reader.chunks(reader.u32()) });
  }
  reader.end();
  return frames;
}

export interface FrameTable {
  codec: number;
  bodyLength: number;
  chunks: FrameChunk[];
  /** where the encoded body begins in the frame's plaintext */
  bodyOffset: number;
}

export function encodeFrameTable(codec: number, bodyLength: number, chunks: readonly FrameChunk[]): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_TABLE_HEADER_LENGTH + chunks.length * FRAME_TABLE_ROW_LENGTH);
  bytes[0] = codec;
  bytes[1] = 0;
  bytes.writeUInt16BE(chunks.length, 2);
  let at = bytes.writeUInt32BE(bodyLength, 4);
  for (const chunk of chunks) {
    bytes.set(chunk.id, at);
    at = bytes.writeUInt32BE(chunk.length, at + CHUNK_ID_LENGTH);
  }
  return bytes;
}

/** @throws HoldfastError `pack-damaged` */
export function decodeFrameTable(plain: Buffer, key: string): FrameTable {
  const reader = new BoundedReader(plain, key);
  const first = reader.u32();
  const bodyLength = reader.u32();
  const chunks = reader.chunks(first & 0xffff);
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (total !== bodyLength || bodyLength > LARGEST_FRAME) throw packDamaged(key, 'a frame’s table does not add up');
  return { codec: first >>> 24, bodyLength, chunks, bodyOffset: reader.position };
}

export function encodeTrailer(footerLength: number, frames: number): Buffer {
  const bytes = Buffer.alloc(PACK_TRAILER_LENGTH);
  bytes.writeUInt32BE(footerLength, 0);
  bytes.writeUInt32BE(frames, 4);
  bytes[8] = VERSION;
  bytes.writeUInt32BE(TRAILER_MAGIC, 12);
  return bytes;
}

/** @throws HoldfastError `pack-damaged` */
export function decodeTrailer(bytes: Buffer, key: string): { footerLength: number; frames: number } {
  if (bytes.length !== PACK_TRAILER_LENGTH || bytes.readUInt32BE(12) !== TRAILER_MAGIC)
    throw packDamaged(key, 'its trailer is missing');
  return { footerLength: bytes.readUInt32BE(0), frames: bytes.readUInt32BE(4) };
}

export function encodeRecordHeader(
  bytes: Buffer,
  at: number,
  magic: number,
  ordinal: number,
  sealedLength: number,
): void {
  bytes.writeUInt32BE(magic, at);
  bytes.writeUInt32BE(ordinal, at + 4);
  bytes.writeUInt32BE(sealedLength, at + 8);
}

export function packDamaged(key: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'damaged',
    'pack-damaged',
    `${key} is damaged: ${reason}. Run \`holdfast verify\` to see which backups are hit.`,
    { cause, details: { object: key } },
  );
}

/** Reads numbers and rows of a decoded table and never past its end. */
class BoundedReader {
  readonly #bytes: Buffer;
  readonly #key: string;
  position = 0;

  constructor(bytes: Buffer, key: string) {
    this.#bytes = bytes;
    this.#key = key;
  }

  u32(): number {
    this.#need(4);
    const value = this.#bytes.readUInt32BE(this.position);
    this.position += 4;
    return value;
  }

  chunks(count: number): FrameChunk[] {
    this.#need(count * FRAME_TABLE_ROW_LENGTH);
    const chunks: FrameChunk[] = [];
    for (let index = 0; index < count; index++) {
      const id = this.#bytes.subarray(this.position, this.position + CHUNK_ID_LENGTH);
      this.position += CHUNK_ID_LENGTH;
      chunks.push({ id, length: this.u32() });
    }
    return chunks;
  }

  end(): void {
    if (this.position !== this.#bytes.length) throw packDamaged(this.#key, 'a table is longer than it says');
  }

  #need(length: number): void {
    if (this.position + length > this.#bytes.length) throw packDamaged(this.#key, 'a table ends too early');
  }
}
