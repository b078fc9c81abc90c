import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HoldfastError } from '../core/errors.ts';
import { freeMemory } from '../core/freed-memory.ts';
import { listOf } from '../core/list-schema.ts';
import { ROW_LENGTH } from './index-row.ts';
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

/** Where the pack's position is in a row. */
const PACK_AT = 32;
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
  const plain = Buffer.concat([length, header, segment.rows]);
  const codec = { name: 'zstd', level: 1 } as const;
  const bytes = sealObject(keys, plain, { kind: SEALED_KIND.index, name: '', cipher, codec });
  freeMemory(plain);
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

/** A pack that no segment names yet, with what it holds: as its writer tells it, or as the rows that it will have. */
export type NewPack = FramedPack | CompactPack;
type FramedPack = IndexedPack & { frames: readonly FooterFrame[] };
export type CompactPack = IndexedPack & { rows: Buffer };

/** The same in a third of the memory: packs wait for many thousands of rows. */
export function compactPack({ idHex, size, header, frames }: FramedPack): CompactPack {
  return { idHex, size, header, rows: rowsOf(frames) };
}

/** Chunks that it holds, a chunk in two frames counted twice. */
export function rowCount(pack: NewPack): number {
  if ('rows' in pack) return pack.rows.length / ROW_LENGTH;
  return pack.frames.reduce((sum, frame) => sum + frame.chunks.length, 0);
}

/** Lists the chunks of packs as a segment's sorted rows. */
export function segmentOf(packs: readonly NewPack[]): IndexSegment {
  const rows = Buffer.concat(packs.map((pack) => ('rows' in pack ? pack.rows : rowsOf(pack.frames))));
  let at = PACK_AT;
  for (const [number, pack] of packs.entries())
    for (let left = rowCount(pack); left > 0; left--, at += ROW_LENGTH) rows.writeUInt32BE(number, at);
  const segment = { packs: packs.map(({ idHex, size, header }) => ({ idHex, size, header })), rows: sorted(rows) };
  freeMemory(rows);
  return segment;
}

/** Rows in the order of frames, with nothing where the pack's number belongs. */
function rowsOf(frames: readonly FooterFrame[]): Buffer {
  const rows = Buffer.alloc(frames.reduce((sum, { chunks }) => sum + chunks.length, 0) * ROW_LENGTH);
  let at = 0;
  for (const { offset, length, chunks } of frames) {
    let bodyOffset = 0;
    for (const chunk of chunks) {
      rows.set(chunk.id, at);
      rows.writeUInt32BE(offset, at + 36);
      rows.writeUInt32BE(length, at + 40);
      rows.writeUInt32BE(bodyOffset, at + 44);
      rows.writeUInt32BE(chunk.length, at + 48);
      bodyOffset += chunk.length;
      at += ROW_LENGTH;
    }
  }
  return rows;
}

/** By all of their bytes. Ids are as good as random, so that their first bytes nearly always tell; and no row is an object of its own. */
function sorted(rows: Buffer): Buffer {
  const count = rows.length / ROW_LENGTH;
  const beginnings = Uint32Array.from({ length: count }, (_, row) => rows.readUInt32BE(row * ROW_LENGTH));
  const order = Uint32Array.from({ length: count }, (_, row) => row).sort((a, b) => {
    const difference = (beginnings[a] as number) - (beginnings[b] as number);
    if (difference !== 0) return difference;
    const [first, second] = [a * ROW_LENGTH, b * ROW_LENGTH];
    return rows.compare(rows, second, second + ROW_LENGTH, first, first + ROW_LENGTH);
  });
  const result = Buffer.allocUnsafeSlow(rows.length);
  for (const [place, row] of order.entries())
    rows.copy(result, place * ROW_LENGTH, row * ROW_LENGTH, (row + 1) * ROW_LENGTH);
  return result;
}

function damaged(key: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'damaged',
    'object-damaged',
    `${key} is damaged. Run \`holdfast verify --rebuild-index\` to write the index anew from the packs.`,
    { cause, details: { object: key } },
  );
}
