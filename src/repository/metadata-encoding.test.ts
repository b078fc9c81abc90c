import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorOf, RUNS } from '../../test/mutated-bytes.ts';
import { decodeMetadata, decodeMetadataSequence, encodeMetadata, refuseNewerVersion } from './metadata-encoding.ts';

const value = fc.anything({
  key: fc.string().filter((key) => key !== '__proto__'),
  values: [
    fc.string(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 20 }),
  ],
  maxDepth: 2,
  maxKeys: 4,
});

describe('metadata', () => {
  test('comes back as it was encoded, alone or in a sequence', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 3 }), (values) => {
        for (const each of values) assert.deepEqual(decodeMetadata(encodeMetadata(each)), each);
        const encoded = values.map(encodeMetadata);
        const items = [...decodeMetadataSequence(Buffer.concat(encoded))];
        assert.deepEqual(
          items.map((item) => item.value),
          values,
        );
        assert.deepEqual(
          items.map((item) => Buffer.from(item.encoded)),
          encoded.map((bytes) => Buffer.from(bytes)),
        );
      }),
      RUNS,
    );
  });

  test('keeps integers of 64 bits exactly', () => {
    for (const number of [2n ** 63n - 1n, -(2n ** 63n), 1_763_690_123_456_789_012n])
      assert.equal(decodeMetadata(encodeMetadata(number)), number);
  });

  test('leaves out what is undefined', () => {
    assert.deepEqual(decodeMetadata(encodeMetadata({ a: undefined, b: 1 })), { b: 1 });
  });

  test('that is random bytes is damaged, never a crash, however deep it claims to be', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        assert.match(errorOf(() => decodeMetadata(bytes))?.code ?? 'metadata-damaged', /^metadata-damaged$/);
        assert.match(
          errorOf(() => [...decodeMetadataSequence(bytes)])?.code ?? 'metadata-damaged',
          /^metadata-damaged$/,
        );
      }),
      { numRuns: 500 },
    );
    assert.equal(errorOf(() => decodeMetadata(Buffer.alloc(100_000, 0x81)))?.code, 'metadata-damaged');
  });

  const refused: [name: string, hex: string][] = [
    ['an array of 4 billion items that are not there', '9affffffff'],
    ['a text of 4 billion bytes that are not there', '7affffffff'],
    ['a map with a key twice', 'a2616101616102'],
    ['an array without an end', '9f01ff'],
    ['undefined', 'f7'],
    ['NaN', 'f97e00'],
    ['infinity', 'f97c00'],
    ['a tag', 'c001'],
    ['bytes left over', '0101'],
  ];
  for (const [name, hex] of refused) {
    test(`refuses ${name}`, () => {
      assert.equal(errorOf(() => decodeMetadata(Buffer.from(hex, 'hex')))?.code, 'metadata-damaged');
    });
  }

  test('of a newer version is unsupported; of this one, or of none, it is looked at further', () => {
    assert.equal(
      errorOf(() => refuseNewerVersion({ version: 2, all: 'different' }, 'snapshots/x'))?.kind,
      'unsupported',
    );
    for (const record of [{ version: 1 }, { version: 'two' }, {}, null, [2], 'version'])
      assert.equal(
        errorOf(() => refuseNewerVersion(record, 'snapshots/x')),
        undefined,
      );
  });
});
