import assert from 'node:assert/strict';
import { createHash, createSecretKey, randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorOf, mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import { ROW_LENGTH } from './index-row.ts';
import { compactPack, decodeIndexSegment, encodeIndexSegment, rowCount, segmentOf } from './index-segment.ts';
import { encodeMetadata } from './metadata-encoding.ts';
import { CIPHER_GCM } from './record-cipher.ts';
import { SEALED_KIND, sealObject, singleKey } from './sealed-object.ts';

const KEYS = singleKey('00'.repeat(16), createSecretKey(Buffer.alloc(32, 1)));

const pack = fc.record({
  idHex: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  size: fc.nat(1_000_000),
  header: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  frames: fc.array(
    fc.record({
      offset: fc.nat(1_000_000),
      length: fc.nat(1_000_000),
      chunks: fc.array(fc.record({ id: fc.uint8Array({ minLength: 32, maxLength: 32 }), length: fc.nat(70_000) }), {
        maxLength: 4,
      }),
    }),
    { maxLength: 3 },
  ),
});

describe('an index segment', () => {
  test('gives back its packs and a sorted row for each chunk, and is named by its hash', () => {
    fc.assert(
      fc.property(fc.array(pack, { maxLength: 4 }), (packs) => {
        const segment = segmentOf(packs);
        const { key, bytes } = encodeIndexSegment(KEYS, segment);
        assert.equal(key, `index/${createHash('sha256').update(bytes).digest('hex')}`);
        const decoded = decodeIndexSegment(KEYS, key, bytes);
        assert.ok(decoded.rows.equals(segment.rows));
        assert.deepEqual(
          decoded.packs.map(({ idHex, size, header }) => [idHex, size, Buffer.from(header).toString('hex')]),
          packs.map(({ idHex, size, header }) => [idHex, size, Buffer.from(header).toString('hex')]),
        );
        const chunks = packs.flatMap(({ frames }) => frames.flatMap((frame) => frame.chunks)).length;
        assert.equal(decoded.rows.length, chunks * ROW_LENGTH);
        for (let at = ROW_LENGTH; at < decoded.rows.length; at += ROW_LENGTH)
          assert.ok(
            Buffer.compare(decoded.rows.subarray(at - ROW_LENGTH, at), decoded.rows.subarray(at, at + ROW_LENGTH)) <= 0,
          );
      }),
      RUNS,
    );
  });

  test('is the same of packs that waited as rows, and sorted by every byte where ids begin alike', () => {
    fc.assert(
      fc.property(fc.array(pack, { maxLength: 4 }), fc.boolean(), (packs, areAlike) => {
        // All ids begin alike, and some are the same.
        if (areAlike)
          for (const { frames } of packs)
            for (const { chunks } of frames) for (const { id } of chunks) id.fill(7, 0, 31);
        const { rows } = segmentOf(packs);
        const compact = packs.map(compactPack);
        assert.ok(segmentOf(compact).rows.equals(rows));
        assert.ok(
          segmentOf(packs.map((each, index) => (index % 2 === 0 ? each : compactPack(each)))).rows.equals(rows),
        );
        assert.equal(compact.reduce((sum, each) => sum + rowCount(each), 0) * ROW_LENGTH, rows.length);
        const each = Array.from({ length: rows.length / ROW_LENGTH }, (_, row) =>
          rows.subarray(row * ROW_LENGTH, (row + 1) * ROW_LENGTH),
        );
        assert.ok(Buffer.concat(each.toSorted(Buffer.compare)).equals(rows));
      }),
      RUNS,
    );
  });

  test('says where in its frame each chunk begins', () => {
    const ids = [randomBytes(32), randomBytes(32)].sort(Buffer.compare);
    const { rows } = segmentOf([
      {
        idHex: '11'.repeat(32),
        size: 5,
        header: new Uint8Array(64),
        frames: [
          {
            offset: 64,
            length: 99,
            chunks: [
              { id: ids[0]!, length: 10 },
              { id: ids[1]!, length: 20 },
            ],
          },
        ],
      },
    ]);
    const numbers = [32, 36, 40, 44, 48].map((at) => rows.readUInt32BE(ROW_LENGTH + at));
    assert.deepEqual(numbers, [0, 64, 99, 10, 20]);
  });

  test('of which any byte changed is damaged, by its name', () => {
    const { key, bytes } = encodeIndexSegment(KEYS, segmentOf([]));
    fc.assert(
      fc.property(mutationsOf(bytes), (mutated) => {
        const error = errorOf(() => decodeIndexSegment(KEYS, key, mutated));
        assert.match(error?.kind ?? 'opened', /^(damaged|unsupported)$/);
        assert.ok(error?.code === 'cipher-unknown' || error?.details.object === key);
      }),
      RUNS,
    );
  });

  const packs = [{ id: randomBytes(32), size: 1, header: new Uint8Array(64) }];
  const row = (position: number): Buffer =>
    Buffer.concat([randomBytes(32), Buffer.from([0, 0, 0, position]), Buffer.alloc(16)]);
  const wrong: [name: string, header: object, rows: Buffer][] = [
    ['whose row points outside of its packs', { version: 1, rows: 1, packs }, row(1)],
    ['with fewer rows than it says', { version: 1, rows: 2, packs }, row(0)],
    ['with half a row', { version: 1, rows: 1, packs }, row(0).subarray(1)],
    ['whose pack has no id', { version: 1, rows: 1, packs: [{ ...packs[0], id: Buffer.alloc(3) }] }, row(0)],
  ];
  for (const [name, header, rows] of wrong) {
    test(`${name} is damaged`, () => {
      assert.equal(errorOf(() => decodeIndexSegment(KEYS, 'index/x', sealed(header, rows)))?.code, 'object-damaged');
    });
  }

  test('of a newer version is unsupported, also if it looks different', () => {
    const bytes = sealed({ version: 2, tables: 'elsewhere' }, Buffer.alloc(0));
    assert.equal(errorOf(() => decodeIndexSegment(KEYS, 'index/x', bytes))?.code, 'format-newer');
  });

  test('that is no segment inside is damaged and never crashes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (plain) => {
        const bytes = seal(plain);
        assert.equal(errorOf(() => decodeIndexSegment(KEYS, 'index/x', bytes))?.kind, 'damaged');
      }),
      RUNS,
    );
  });
});

function sealed(header: object, rows: Uint8Array): Buffer {
  const encoded = encodeMetadata(header);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(encoded.length);
  return seal(Buffer.concat([length, encoded, rows]));
}

function seal(plain: Uint8Array): Buffer {
  return sealObject(KEYS, plain, {
    kind: SEALED_KIND.index,
    name: '',
    cipher: CIPHER_GCM,
    codec: { name: 'raw', level: 0 },
  });
}
