import assert from 'node:assert/strict';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { ChunkIdentifier } from '../../src/repository/chunk-identifier.ts';
import { decode, encode, GZIP, RAW, ZSTD } from '../../src/repository/codec.ts';
import {
  decodeFooter,
  decodeFrameTable,
  decodePackHeader,
  encodeFooter,
  encodeFrameTable,
  encodePackHeader,
  encodeRecordHeader,
  encodeTrailer,
  FOOTER_MAGIC,
  FOOTER_ORDINAL,
  type FooterFrame,
  FRAME_MAGIC,
  FRAME_TABLE_HEADER_LENGTH,
  FRAME_TABLE_ROW_LENGTH,
  LARGEST_FRAME,
  PACK_HEADER_LENGTH,
  PACK_KIND,
  RECORD_HEADER_LENGTH,
  recordAssociatedData,
} from '../../src/repository/pack-format.ts';
import { footerRecord, type OpenedFrame, PackOpener, scanFrames } from '../../src/repository/pack-reader.ts';
import { PACK_PURPOSE } from '../../src/repository/pack-writer.ts';
import { CIPHER_CBC_HMAC, CIPHER_GCM, CIPHER_NONE, createRecordCipher } from '../../src/repository/record-cipher.ts';
import { salvageChunks } from '../../src/repository/repair/pack-salvage.ts';
import type { SeededRandom } from '../simulation/seeded-random.ts';
import { randomBytes } from './byte-mutation.ts';
import type { FuzzedDecoder } from './decoder.ts';
import { id } from './examples.ts';
import { KEYRING, REPOSITORY_ID } from './sealing.ts';

const KEY = 'packs/00/fuzzed';
const SALT = Buffer.alloc(32, 9);
const identifier = new ChunkIdentifier(KEYRING.idKey);

const chunk = fc.record({ id, length: fc.nat(100_000) });
const frames = fc.array(
  fc.record({ offset: fc.nat(0xffffffff), length: fc.nat(0xffffffff), chunks: fc.array(chunk, { maxLength: 6 }) }),
  { maxLength: 6 },
);
const chunks = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each)),
    fc.tuple(fc.nat(5000), fc.nat(255)).map(([length, byte]) => Buffer.alloc(length, byte)),
  ),
  { minLength: 1, maxLength: 5 },
);
const codec = fc.constantFrom<('raw' | 'gzip' | 'zstd')[]>('raw', 'gzip', 'zstd');
const framePlain = fc.tuple(chunks, codec).map(([parts, name]) => plainFrame(parts, name));

export const PACK_DECODERS: readonly FuzzedDecoder[] = [
  {
    name: 'the header of a pack',
    form: 'bytes',
    examples: fc.constantFrom(CIPHER_NONE, CIPHER_GCM, CIPHER_CBC_HMAC).map(headerOf),
    refuses: ['damaged', 'unsupported', 'wrong-key'],
    decode: (bytes) => {
      decodePackHeader(bytes, KEY);
      new PackOpener(KEY, bytes, KEYRING);
    },
  },
  {
    name: "the table of a pack's footer",
    form: 'bytes',
    examples: frames.map(encodeFooter),
    refuses: ['damaged'],
    decode: (bytes) => {
      const found = decodeFooter(bytes, KEY);
      assert.ok(encodeFooter(found).equals(bytes), 'it reads a footer as another one');
    },
  },
  {
    name: 'the table of a frame',
    form: 'bytes',
    examples: framePlain,
    refuses: ['damaged'],
    decode: (bytes) => {
      const table = decodeFrameTable(bytes, KEY);
      assert.ok(table.bodyOffset <= bytes.length && table.bodyLength <= LARGEST_FRAME);
    },
  },
  {
    name: 'a frame that anybody could have written',
    form: 'bytes',
    examples: framePlain,
    mutate: mutateFrame,
    decode: (bytes) => assertFrame(openerOf(CIPHER_NONE).openFrame(sealedRecord(CIPHER_NONE, FRAME_MAGIC, 0, bytes))),
  },
  ...[CIPHER_GCM, CIPHER_CBC_HMAC].map(
    (cipher): FuzzedDecoder => ({
      name: `a frame under cipher ${cipher}`,
      form: 'bytes',
      examples: framePlain.map((plain) => sealedRecord(cipher, FRAME_MAGIC, 0, plain)),
      refuses: ['damaged'],
      decode: (bytes) => assertFrame(openerOf(cipher).openFrame(bytes)),
    }),
  ),
  ...[CIPHER_NONE, CIPHER_GCM].map(
    (cipher): FuzzedDecoder => ({
      name: `a pack under cipher ${cipher}, by its footer, by its frames and by what a repair saves`,
      form: 'bytes',
      examples: fc.array(framePlain, { minLength: 1, maxLength: 4 }).map((plains) => packOf(cipher, plains)),
      refuses: ['damaged', 'unsupported', 'wrong-key'],
      decode: (bytes) => readPack(bytes),
    }),
  ),
  {
    name: 'compressed bytes with the length that they should have',
    form: 'bytes',
    examples: fc.tuple(chunks, codec).map(([parts, name]) => {
      const plain = Buffer.concat(parts);
      const encoded = encode(plain, { name, level: 3 });
      return compressed(encoded.codec, plain.length, encoded.bytes);
    }),
    mutate: (random) => hostileCompression(random),
    decode: (bytes) => {
      if (bytes.length < 5) return;
      const length = bytes.readUInt32BE(1) % (LARGEST_FRAME + 1);
      assert.equal(decode(bytes[0]!, bytes.subarray(5), length).length, length);
    },
  },
];

function headerOf(cipher: number): Buffer {
  return encodePackHeader({ kind: PACK_KIND.data, cipher, epoch: 0, repositoryId: REPOSITORY_ID, salt: SALT });
}

function openerOf(cipher: number): PackOpener {
  return new PackOpener(KEY, headerOf(cipher), KEYRING);
}

function plainFrame(parts: readonly Uint8Array[], name: 'raw' | 'gzip' | 'zstd'): Buffer {
  const plain = Buffer.concat(parts);
  const encoded = encode(plain, { name, level: 3 });
  const table = parts.map((part) => ({ id: identifier.identify(part), length: part.length }));
  return Buffer.concat([encodeFrameTable(encoded.codec, plain.length, table), encoded.bytes]);
}

function sealedRecord(cipher: number, magic: number, ordinal: number, plain: Uint8Array): Buffer {
  const records = createRecordCipher(cipher, KEYRING.dataKey(0), SALT, PACK_PURPOSE);
  const record = Buffer.alloc(RECORD_HEADER_LENGTH + records.sealedLength(plain.length));
  encodeRecordHeader(record, 0, magic, ordinal, record.length - RECORD_HEADER_LENGTH);
  const associated = recordAssociatedData(headerOf(cipher), magic, ordinal);
  records.seal(ordinal, associated, [plain], record, RECORD_HEADER_LENGTH);
  return record;
}

function packOf(cipher: number, plains: readonly Buffer[]): Buffer {
  const parts = [headerOf(cipher)];
  const listed: FooterFrame[] = [];
  let offset = PACK_HEADER_LENGTH;
  for (const [ordinal, plain] of plains.entries()) {
    const record = sealedRecord(cipher, FRAME_MAGIC, ordinal, plain);
    listed.push({ offset, length: record.length, chunks: decodeFrameTable(plain, KEY).chunks });
    parts.push(record);
    offset += record.length;
  }
  const footer = sealedRecord(cipher, FOOTER_MAGIC, FOOTER_ORDINAL, encodeFooter(listed));
  return Buffer.concat([...parts, footer, encodeTrailer(footer.length, plains.length)]);
}

function readPack(bytes: Buffer): void {
  const opener = new PackOpener(KEY, bytes.subarray(0, PACK_HEADER_LENGTH), KEYRING);
  const scanned = scanFrames(bytes, opener);
  for (const { offset, length } of scanned.frames) assert.ok(offset + length <= bytes.length);
  for (const found of salvageChunks(bytes, opener))
    for (const { id: name, plain } of found) opener.verifyChunk(name, plain);
  const listed = opener.openFooter(footerRecord(bytes, KEY));
  for (const { offset, length } of listed) assertFrame(opener.openFrame(bytes.subarray(offset, offset + length)));
}

function assertFrame({ chunks: listed, body }: OpenedFrame): void {
  assert.ok(body.length <= LARGEST_FRAME);
  assert.equal(
    listed.reduce((sum, { length }) => sum + length, 0),
    body.length,
  );
}

/** Another body or another codec behind a table that says something of it, right or wrong. */
function mutateFrame(random: SeededRandom, example: Buffer): Buffer {
  const rows = example.readUInt16BE(2);
  const table = Buffer.from(example.subarray(0, FRAME_TABLE_HEADER_LENGTH + rows * FRAME_TABLE_ROW_LENGTH));
  const hostile = hostileCompression(random);
  table[0] = hostile[0]!;
  if (rows === 0 || random.chance(0.2)) return Buffer.concat([table, hostile.subarray(5)]);
  // All of the body is the first chunk.
  const length = hostile.readUInt32BE(1) % (LARGEST_FRAME * 2);
  const first = encodeFrameTable(hostile[0]!, length, [{ id: SALT, length }]);
  return Buffer.concat([first, hostile.subarray(5)]);
}

/** Codec (1), the length that it claims (4), and bytes that give another length: more by far, a little more or less, none. */
function hostileCompression(random: SeededRandom): Buffer {
  const gzip = random.chance(0.5);
  const plain = Buffer.alloc(random.pick([0, 1, 100, 100_000, 3_000_000]), random.below(256));
  const once = gzip ? gzipSync(plain, { level: 1 }) : zstdCompressSync(plain);
  const members = Array.from({ length: random.pick([1, 1, 2, 50]) }, () => once);
  // A frame that nothing follows asks zstd for a window of up to 2 GiB (RFC 8878, 3.1.1.1.2).
  const window = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, random.pick([0x50, 0x88, 0xa8, 0xff]), 1, 0, 0]);
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, random.pick([0, 0x7f])]);
  const encoded = random.pick([Buffer.concat(members), Buffer.concat(members), window, skippable, randomBytes(random)]);
  const total = plain.length * members.length;
  const claimed = random.pick([0, 1, plain.length, total, total, total + 1, Math.max(0, total - 1), LARGEST_FRAME]);
  return compressed(random.pick([gzip ? GZIP : ZSTD, gzip ? GZIP : ZSTD, RAW, 9]), claimed, encoded);
}

function compressed(codecByte: number, length: number, encoded: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = codecByte;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, encoded]);
}
