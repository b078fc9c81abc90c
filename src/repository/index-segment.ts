import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HoldfastError } from '../core/errors.ts';
import { listOf } from '../core/list-schema.ts';
import { decodeMetadata, encodeMetadata, refuseNewerVersion } from './metadata-encoding.ts';
import type { FooterFrame } from './pack-format.ts';
import { CIPHER_GCM, type CipherId } from './record-cipher.ts';
import { type EpochKeys, openObject, SEALED_KIND, sealObject } from './sealed-object.ts';

/**
 * An index segment says where chunks lie: a list of packs and, sorted by chunk id, one row of 52 bytes a chunk. Segments are
 * immutable and named by the SHA-256 of their bytes: `index/<hex>`.
 */
export interface IndexSegment {
  packs: readonly IndexedPack[];
  /** `ROW_LENGTH` bytes each, sorted by id */
  rows: Buffer;
  /** The writer whose packs these are, as long as nothing was merged: collectors spare what a writer at work has stored. */
  session?: string;
  /** Of a merged segment: what it takes the place of. */
  merged?: { replaces: readonly string[]; inputRows: number };
  /** Of one that was read: the key epoch that it is sealed under. */
  epoch?: number;
}

export interface IndexedPack {
  idHex: string;
  /** bytes */
  size: number;
  /** the pack's first 64 bytes, so that a chunk can be read with one range request */
  header: Uint8Array;
}

/** id (32), pack's position in the segment's list, frame offset, frame length, offset in the frame's body, plain length (u32 each). */
export const ROW_LENGTH = 52;
/** Rows after which a writer begins another segment. */
export const MOST_ROWS = 262_144;

const headerSchema = z.object({
  version: z.literal(1),
  rows: z.number().int().min(0),
  packs: listOf(
    z.object({
      id: z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32),
      size: z.number().int().min(0),
      header: z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 64),
    }),
  ),
  session: z.string().optional(),
  /** Names of segments that this one was merged from, and how many rows they had. */
  replaces: listOf(z.string()).optional(),
  inputRows: z.number().int().min(0).optional(),
});

/** @returns the storage key and the sealed bytes */
export function encodeIndexSegment(
  keys: EpochKeys,
  segment: IndexSegment,
  cipher: CipherId = CIPHER_GCM,
): { key: string; bytes: Buffer } {
  const packs = segment.packs.map(({ idHex, size, header }) => ({ id: Buffer.from(idHex, 'hex'), size, header }));
  const { session, merged } = segment;
  const header = encodeMetadata({ version: 1, rows: segment.rows.length / ROW_LENGTH, packs, session, ...merged });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  const bytes = sealObject(keys, Buffer.concat([length, header, segment.rows]), {
    kind: SEALED_KIND.index,
    name: '',
    cipher,
    codec: { name: 'zstd', level: 1 },
  });
  return { key: `index/${createHash('sha256').update(bytes).digest('hex')}`, bytes };
}

/** @throws HoldfastError `object-damaged` naming the segment */
export function decodeIndexSegment(keys: EpochKeys, key: string, bytes: Uint8Array): IndexSegment {
  const opened = openObject(keys, bytes, { kind: SEALED_KIND.index, name: '', key });
  const plain = Buffer.from(opened.buffer, opened.byteOffset, opened.length);
  const headerLength = plain.length >= 4 ? plain.readUInt32BE(0) : Number.POSITIVE_INFINITY;
  if (4 + headerLength > plain.length) throw damaged(key);
  const decoded = decodeMetadata(plain.subarray(4, 4 + headerLength));
  refuseNewerVersion(decoded, key);
  const header = headerSchema.safeParse(decoded);
  const rows = plain.subarray(4 + headerLength);
  if (!header.success || rows.length !== header.data.rows * ROW_LENGTH) throw damaged(key, header.error);
  for (let at = 32; at < rows.length; at += ROW_LENGTH) {
    if (rows.readUInt32BE(at) >= header.data.packs.length) throw damaged(key);
  }
  const { session, replaces, inputRows } = header.data;
  return {
    packs: header.data.packs.map(({ id, size, header: bytesOfHeader }) => ({
      idHex: Buffer.from(id).toString('hex'),
      size,
      header: bytesOfHeader,
    })),
    rows,
    epoch: bytes[7] as number,
    ...(session === undefined ? {} : { session }),
    ...(replaces === undefined ? {} : { merged: { replaces, inputRows: inputRows ?? 0 } }),
  };
}

/** Lists the chunks of packs as a segment's sorted rows. */
export function segmentOf(packs: readonly (IndexedPack & { frames: readonly FooterFrame[] })[]): IndexSegment {
  const rows: Buffer[] = [];
  for (const [number, pack] of packs.entries()) {
    for (const frame of pack.frames) {
      let bodyOffset = 0;
      for (const chunk of frame.chunks) {
        rows.push(encodeRow(chunk.id, number, frame.offset, frame.length, bodyOffset, chunk.length));
        bodyOffset += chunk.length;
      }
    }
  }
  rows.sort(Buffer.compare);
  return { packs: packs.map(({ idHex, size, header }) => ({ idHex, size, header })), rows: Buffer.concat(rows) };
}

function encodeRow(
  id: Uint8Array,
  pack: number,
  frameOffset: number,
  frameLength: number,
  bodyOffset: number,
  length: number,
): Buffer {
  const row = Buffer.allocUnsafe(ROW_LENGTH);
  row.set(id);
  row.writeUInt32BE(pack, 32);
  row.writeUInt32BE(frameOffset, 36);
  row.writeUInt32BE(frameLength, 40);
  row.writeUInt32BE(bodyOffset, 44);
  row.writeUInt32BE(length, 48);
  return row;
}

function damaged(key: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'damaged',
    'object-damaged',
    `${key} is damaged. Run \`holdfast verify --rebuild-index\` to write the index anew from the packs.`,
    { cause, details: { object: key } },
  );
}
