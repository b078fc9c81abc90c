import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { errorOf, mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import { type CodecChoice, decode, encode, GZIP, RAW, ZSTD } from './codec.ts';

const CHOICES: CodecChoice[] = [
  { name: 'raw', level: 0 },
  { name: 'gzip', level: 6 },
  { name: 'zstd', level: 3 },
  { name: 'zstd', level: -1 },
];

describe('codecs', () => {
  for (const choice of CHOICES) {
    test(`${choice.name} at level ${choice.level} gives back whatever it took`, () => {
      const inputs = fc.oneof(
        fc.uint8Array({ maxLength: 2000 }),
        fc
          .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(40_000))
          .map(([unit, times]) => Buffer.alloc(unit.length * (times % 4000), Buffer.from(unit))),
      );
      fc.assert(
        fc.property(inputs, (plain) => {
          const { codec, bytes } = encode(plain, choice);
          assert.ok(bytes.length <= plain.length);
          assert.equal(Buffer.compare(decode(codec, bytes, plain.length), plain), 0);
        }),
        RUNS,
      );
    });
  }

  test('what gains less than three per cent stays raw', () => {
    for (const choice of CHOICES) assert.equal(encode(randomBytes(10_000), choice).codec, RAW);
    for (const choice of CHOICES) assert.equal(encode(randomBytes(300_000), choice).codec, RAW);
    assert.equal(encode(Buffer.alloc(10_000), { name: 'gzip', level: 6 }).codec, GZIP);
    assert.equal(encode(Buffer.alloc(300_000), { name: 'zstd', level: 3 }).codec, ZSTD);
  });

  test('what is likely to compress is not judged by its beginning, and stays raw all the same where it gains nothing', () => {
    const choice: CodecChoice = { name: 'zstd', level: 3 };
    const plain = Buffer.concat([randomBytes(70_000), Buffer.alloc(300_000)]);
    assert.equal(encode(plain, choice).codec, RAW);
    assert.equal(encode(plain, choice, undefined, true).codec, ZSTD);
    assert.equal(encode(randomBytes(300_000), choice, undefined, true).codec, RAW);
  });

  for (const [codec, bomb] of [
    [GZIP, gzipSync(Buffer.alloc(64 * 1024 * 1024))],
    [ZSTD, zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))],
  ] as const) {
    test(`codec ${codec} stops at the recorded length and makes no room for more`, () => {
      const before = process.memoryUsage();
      assert.equal(errorOf(() => decode(codec, bomb, 1000))?.code, 'codec-damaged');
      const after = process.memoryUsage();
      const grown = after.external + after.arrayBuffers - before.external - before.arrayBuffers;
      assert.ok(grown < 4 * 1024 * 1024, `${grown} bytes more were allocated`);
    });
  }

  test('a length that is not the recorded one is damage, shorter or longer', () => {
    const plain = Buffer.from('a word that is said again, '.repeat(50));
    for (const choice of CHOICES) {
      const { codec, bytes } = encode(plain, choice);
      for (const length of [0, 1, plain.length - 1, plain.length + 1])
        assert.equal(errorOf(() => decode(codec, bytes, length))?.kind, 'damaged', `${choice.name} ${length}`);
    }
  });

  test('mutated bytes give an error or bytes of the recorded length, never a crash', () => {
    const plain = Buffer.from('a word that is said again, '.repeat(50));
    for (const choice of CHOICES.slice(1)) {
      const { codec, bytes } = encode(plain, choice);
      fc.assert(
        fc.property(mutationsOf(bytes), (mutated) => {
          let decoded: Uint8Array | undefined;
          const error = errorOf(() => {
            decoded = decode(codec, mutated, plain.length);
          });
          assert.ok(error === undefined ? decoded?.length === plain.length : error.code === 'codec-damaged');
        }),
        RUNS,
      );
    }
  });

  test('an unknown codec is unsupported, not damaged', () => {
    assert.equal(errorOf(() => decode(9, Buffer.from('x'), 1))?.kind, 'unsupported');
  });
});
