import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import { decode, encode, ZSTD } from './codec.ts';
import { type Parameters, ZstdContexts } from './zstd-contexts.ts';

const LEVEL_3 = { [constants.ZSTD_c_compressionLevel]: 3 };
const SENTENCE = Buffer.from('what is said once is said again, and again, ');

test('this Node.js has what contexts are used again by', () => {
  const contexts = new ZstdContexts();
  const frame = contexts.compress(SENTENCE, LEVEL_3);
  assert.ok(frame !== undefined);
  assert.deepEqual(contexts.decompress(frame, SENTENCE.length), SENTENCE);
});

test('a context keeps its parameters from one frame to the next', () => {
  const contexts = new ZstdContexts();
  const words = Array.from({ length: 20_000 }, (_, index) => ((index * index) % 7919).toString(36));
  const plain = Buffer.from(words.join(' '));
  const lengthAt = (params: Parameters): number | undefined => contexts.compress(plain, params)?.length;
  const lengths = [1, 19].map((level) => {
    const params = { [constants.ZSTD_c_compressionLevel]: level };
    const first = lengthAt(params);
    assert.equal(first, zstdCompressSync(plain, { params, pledgedSrcSize: plain.length }).length);
    assert.equal(lengthAt(params), first);
    return first;
  });
  assert.notEqual(lengths[0], lengths[1]);
});

test('whatever came before, a frame gives the content back, here and to whoever decodes it elsewhere', () => {
  const contexts = new ZstdContexts();
  const inputs = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(fc.nat(60_000), fc.uint8Array({ minLength: 1, maxLength: 30 }))
      .map(([times, unit]) => Buffer.alloc(times * unit.length, Buffer.from(unit))),
  );
  fc.assert(
    fc.property(inputs, (plain) => {
      const frame = contexts.compress(plain, LEVEL_3);
      assert.ok(frame !== undefined);
      assert.equal(Buffer.compare(contexts.decompress(frame, plain.length) ?? randomBytes(1), plain), 0);
      assert.equal(Buffer.compare(zstdDecompressSync(frame), plain), 0);
    }),
    RUNS,
  );
});

test('a damaged frame, one cut short and one of another length tell as they do without contexts, and harm none that follows', () => {
  const contexts = new ZstdContexts();
  const plain = Buffer.concat([SENTENCE, randomBytes(500), Buffer.alloc(100_000, SENTENCE)]);
  const { codec, bytes } = encode(plain, { name: 'zstd', level: 3 });
  assert.equal(codec, ZSTD);
  const outcome = (frame: Uint8Array, length: number, shared?: ZstdContexts): unknown => {
    try {
      return Buffer.from(decode(ZSTD, frame, length, shared)).toString('latin1');
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  fc.assert(
    fc.property(mutationsOf(bytes), fc.constantFrom(-1, 0, 1), (frame, longer) => {
      const length = plain.length + longer;
      assert.equal(outcome(frame, length, contexts), outcome(frame, length));
      assert.equal(Buffer.compare(decode(ZSTD, bytes, plain.length, contexts), plain), 0);
    }),
    RUNS,
  );
  for (const end of [0, 1, 10, bytes.length - 1]) {
    assert.equal(outcome(bytes.subarray(0, end), plain.length, contexts), 'codec-damaged');
    assert.equal(Buffer.compare(decode(ZSTD, bytes, plain.length, contexts), plain), 0);
  }
});

test('what is longer than contexts keep memory for is left to others', () => {
  const contexts = new ZstdContexts();
  const plain = Buffer.alloc(9 * 1024 * 1024, SENTENCE);
  assert.equal(contexts.compress(plain, LEVEL_3), undefined);
  const frame = zstdCompressSync(plain);
  assert.equal(contexts.decompress(frame, plain.length), undefined);
  assert.equal(Buffer.compare(decode(ZSTD, frame, plain.length, contexts), plain), 0);
});
