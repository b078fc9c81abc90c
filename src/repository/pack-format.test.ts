import assert from 'node:assert/strict';
import { createHash, createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { dumpLike, pseudoRandom } from '../../test/golden/inputs.ts';
import { errorOf, mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import type { Storage } from '../core/ports/storage.ts';
import { openStorage } from '../storage/local/local-storage.ts';
import { ChunkIdentifier } from './chunk-identifier.ts';
import { Keyring } from './keyring.ts';
import {
  decodeFooter,
  decodeFrameTable,
  decodePackHeader,
  decodeTrailer,
  encodeFooter,
  encodeFrameTable,
  encodePackHeader,
  encodeTrailer,
  LARGEST_FRAME,
  PACK_HEADER_LENGTH,
  PACK_KIND,
  PACK_TRAILER_LENGTH,
  packIdOf,
  packKey,
} from './pack-format.ts';
import { footerRecord, PackOpener, scanFrames } from './pack-reader.ts';
import { PackWriter, type WrittenPack } from './pack-writer.ts';
import { CIPHER_CBC_HMAC, CIPHER_GCM, CIPHER_NONE } from './record-cipher.ts';

const KEY = 'packs/00/test';
const chunk = fc.record({
  id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  length: fc.nat(50_000),
});
const frame = fc.record({
  offset: fc.nat(0xffffffff),
  length: fc.nat(0xffffffff),
  chunks: fc.array(chunk, { maxLength: 5 }),
});

describe('the tables of a pack', () => {
  test('come back as they were encoded', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), (frames) => {
        assert.deepEqual(plainFrames(decodeFooter(encodeFooter(frames), KEY)), plainFrames(frames));
      }),
      RUNS,
    );
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.array(chunk, { maxLength: 8 }),
        fc.uint8Array({ maxLength: 20 }),
        (codec, chunks, body) => {
          const length = chunks.reduce((sum, each) => sum + each.length, 0);
          const table = encodeFrameTable(codec, length, chunks);
          const decoded = decodeFrameTable(Buffer.concat([table, body]), KEY);
          assert.deepEqual([decoded.codec, decoded.bodyLength, decoded.bodyOffset], [codec, length, table.length]);
          assert.deepEqual(decoded.chunks.map(plainChunk), chunks.map(plainChunk));
        },
      ),
      RUNS,
    );
    assert.deepEqual(decodeTrailer(encodeTrailer(123, 45), KEY), { footerLength: 123, frames: 45 });
  });

  test('never crash on random or mutated bytes, and allocate no more than they hold', () => {
    const footer = encodeFooter([{ offset: 64, length: 99, chunks: [{ id: randomBytes(32), length: 7 }] }]);
    const table = encodeFrameTable(2, 7, [{ id: randomBytes(32), length: 7 }]);
    const input = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      mutationsOf(footer),
      mutationsOf(table),
    );
    fc.assert(
      fc.property(input, (bytes) => {
        for (const decode of [decodeFooter, decodeFrameTable, decodeTrailer, decodePackHeader])
          assert.match(errorOf(() => decode(bytes, KEY))?.kind ?? 'damaged', /^(damaged|unsupported)$/);
      }),
      { numRuns: 400 },
    );
    const endless = Buffer.alloc(16, 0xff);
    assert.equal(errorOf(() => decodeFooter(endless, KEY))?.code, 'pack-damaged');
  });

  test('that do not add up are refused', () => {
    const id = randomBytes(32);
    const tables = [
      encodeFrameTable(0, 8, [{ id, length: 7 }]),
      encodeFrameTable(0, LARGEST_FRAME + 1, [{ id, length: LARGEST_FRAME + 1 }]),
      encodeFrameTable(0, 7, [{ id, length: 7 }]).subarray(0, 40),
    ];
    for (const table of tables) assert.equal(errorOf(() => decodeFrameTable(table, KEY))?.code, 'pack-damaged');
    const longer = Buffer.concat([encodeFooter([]), Buffer.from([0])]);
    assert.equal(errorOf(() => decodeFooter(longer, KEY))?.code, 'pack-damaged');
  });

  test('a header of a newer version is unsupported, not damaged', () => {
    const header = encodePackHeader({
      kind: 1,
      cipher: 1,
      epoch: 3,
      repositoryId: '00'.repeat(16),
      salt: randomBytes(32),
    });
    assert.equal(decodePackHeader(header, KEY).epoch, 3);
    header[4] = 2;
    assert.equal(errorOf(() => decodePackHeader(header, KEY))?.kind, 'unsupported');
  });

  test('a pack’s key and its id name each other', () => {
    const id = 'ab'.repeat(32);
    assert.equal(packIdOf(packKey(id)), id);
    for (const other of ['packs/ab/short', `packs/${id}`, `index/${id}`]) assert.equal(packIdOf(other), undefined);
  });
});

describe('a written pack', () => {
  const keyring = Keyring.fromSecrets({
    repositoryId: '00112233445566778899aabbccddeeff',
    idKey: Buffer.alloc(32, 1),
    chunkerKey: Buffer.alloc(32, 2),
    epochs: [{ epoch: 0, dataKey: Buffer.alloc(32, 3) }],
  });
  const identifier = new ChunkIdentifier(createSecretKey(Buffer.alloc(32, 1)));
  const chunks = [
    pseudoRandom('a', 100),
    dumpLike('b', 3000),
    Buffer.alloc(0),
    pseudoRandom('c', 9000),
    dumpLike('d', 9000),
  ];
  let folder: string;
  let storage: Storage;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-pack-'));
    storage = await openStorage({ folder });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function write(cipher: number): Promise<{ pack: WrittenPack; bytes: Buffer; opener: PackOpener; key: string }> {
    const packs: WrittenPack[] = [];
    const writer = new PackWriter(
      storage,
      keyring,
      {
        kind: PACK_KIND.data,
        cipher,
        codec: { name: 'zstd', level: 3 },
        packSize: 1_000_000,
        frameTarget: 4096,
        verify: true,
      },
      (pack) => packs.push(pack),
    );
    for (const plain of chunks) writer.append(identifier.identify(plain), plain);
    await writer.finish();
    assert.equal(packs.length, 1);
    const pack = packs[0]!;
    const key = packKey(pack.idHex);
    const bytes = await storage.get(key);
    return { pack, bytes, key, opener: new PackOpener(key, bytes.subarray(0, PACK_HEADER_LENGTH), keyring) };
  }

  for (const cipher of [CIPHER_NONE, CIPHER_GCM, CIPHER_CBC_HMAC]) {
    test(`under cipher ${cipher} is named by its hash and gives back every chunk`, async () => {
      const { pack, bytes, opener, key } = await write(cipher);
      assert.equal(createHash('sha256').update(bytes).digest('hex'), pack.idHex);
      const frames = opener.openFooter(footerRecord(bytes, key));
      assert.deepEqual(plainFrames(frames), plainFrames(pack.frames));
      const found = new Map<string, Buffer>();
      for (const { offset, length } of frames) {
        const opened = opener.openFrame(bytes.subarray(offset, offset + length));
        let at = 0;
        for (const { id, length: size } of opened.chunks) {
          const plain = Buffer.from(opened.body.subarray(at, at + size));
          opener.verifyChunk(id, plain);
          found.set(Buffer.from(id).toString('hex'), plain);
          at += size;
        }
      }
      for (const plain of chunks) assert.ok(found.get(identifier.identify(plain).toString('hex'))?.equals(plain));
    });

    test(`under cipher ${cipher} shows its frames without a footer, as far as it is whole`, async () => {
      const { pack, bytes, opener } = await write(cipher);
      assert.deepEqual(plainFrames(scanFrames(bytes, opener).frames), plainFrames(pack.frames));
      const last = pack.frames.at(-1)!;
      const torn = scanFrames(bytes.subarray(0, last.offset + 20), opener);
      assert.equal(torn.complete, false);
      assert.deepEqual(plainFrames(torn.frames), plainFrames(pack.frames.slice(0, -1)));
    });
  }

  for (const cipher of [CIPHER_GCM, CIPHER_CBC_HMAC]) {
    test(`under cipher ${cipher} does not open a frame of which any byte changed, or that stands elsewhere`, async () => {
      const { pack, bytes, opener } = await write(cipher);
      const [first, second] = pack.frames as [WrittenPack['frames'][0], WrittenPack['frames'][0]];
      const record = Buffer.from(bytes.subarray(first.offset, first.offset + first.length));
      for (let at = 0; at < record.length; at += at < 200 ? 1 : 37) {
        const flipped = Buffer.from(record);
        flipped[at] = flipped[at]! ^ 1;
        assert.equal(errorOf(() => opener.openFrame(flipped))?.code, 'pack-damaged', `byte ${at}`);
      }
      const moved = Buffer.from(bytes.subarray(second.offset, second.offset + second.length));
      record.copy(moved, 4, 4, 8);
      assert.equal(errorOf(() => opener.openFrame(moved))?.code, 'pack-damaged');
      for (let at = 0; at < PACK_HEADER_LENGTH; at++) {
        const header = Buffer.from(bytes.subarray(0, PACK_HEADER_LENGTH));
        header[at] = header[at]! ^ 0x20;
        const error = errorOf(() => new PackOpener('packs/00/x', header, keyring).openFrame(record));
        assert.match(error?.kind ?? 'opened', /^(damaged|unsupported|wrong-key)$/, `byte ${at}`);
      }
    });
  }

  test('in the clear does not give a chunk of which any byte changed', async () => {
    const { pack, bytes, opener } = await write(CIPHER_NONE);
    const { offset, length } = pack.frames[0]!;
    fc.assert(
      fc.property(mutationsOf(bytes.subarray(offset, offset + length)), (mutated) => {
        const error = errorOf(() => {
          const opened = opener.openFrame(mutated);
          let at = 0;
          for (const { id, length: size } of opened.chunks) {
            opener.verifyChunk(id, opened.body.subarray(at, at + size));
            at += size;
          }
        });
        // A change that gives the same bytes (in a reserved byte, in compressed form) harms nobody.
        assert.ok(error === undefined || ['damaged', 'unsupported'].includes(error.kind));
      }),
      RUNS,
    );
    const [id] = pack.frames[0]!.chunks;
    assert.equal(errorOf(() => opener.verifyChunk(id!.id, Buffer.from('other bytes')))?.code, 'pack-damaged');
  });

  test('without its end, or with a trailer that points elsewhere, is damaged', async () => {
    const { bytes, key } = await write(CIPHER_GCM);
    for (const length of [0, 63, 79, bytes.length - 1])
      assert.equal(errorOf(() => footerRecord(bytes.subarray(0, length), key))?.code, 'pack-damaged');
    const beyond = Buffer.from(bytes);
    beyond.writeUInt32BE(bytes.length, bytes.length - PACK_TRAILER_LENGTH);
    assert.equal(errorOf(() => footerRecord(beyond, key))?.code, 'pack-damaged');
  });

  test('of another repository is not opened', async () => {
    const { bytes, key } = await write(CIPHER_GCM);
    const header = Buffer.from(bytes.subarray(0, PACK_HEADER_LENGTH));
    header[8] = 0xff;
    assert.equal(errorOf(() => new PackOpener(key, header, keyring))?.code, 'pack-damaged');
  });
});

function plainChunk({ id, length }: { id: Uint8Array; length: number }): string {
  return `${Buffer.from(id).toString('hex')} ${length}`;
}

function plainFrames(
  frames: readonly { offset: number; length: number; chunks: readonly { id: Uint8Array; length: number }[] }[],
): unknown {
  return frames.map(({ offset, length, chunks }) => ({ offset, length, chunks: chunks.map(plainChunk) }));
}
