import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { crc32c, joinedCrc32c } from './crc32c.ts';
import { FOLDED_FROM, foldedForCrc32c } from './crc32c-folding.ts';

/** By the definition: one bit after the other. */
function slowly(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe('CRC-32C', () => {
  test('is what RFC 3720 lists', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e);
    assert.equal(crc32c(new Uint8Array()), 0);
  });

  test('is the same wherever bytes lie, in one run, in two, and in two that were looked at apart', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(7), (bytes, place, begin) => {
        const lain = new Uint8Array(bytes.length + begin).subarray(begin);
        lain.set(bytes);
        const at = Math.min(place, bytes.length);
        const [one, other] = [lain.subarray(0, at), lain.subarray(at)];
        const expected = slowly(bytes);
        assert.equal(crc32c(lain), expected);
        assert.equal(crc32c(other, crc32c(one)), expected);
        assert.equal(joinedCrc32c(crc32c(one), crc32c(other), other.length), expected);
      }),
    );
  });

  test('is computed of few bytes, where these are long', () => {
    assert.ok((foldedForCrc32c(new Uint8Array(FOLDED_FROM), 0)?.length ?? FOLDED_FROM) < 3400);
  });

  test('is the same for long runs, whatever their length and place', () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (Math.imul(index, 0x9e3779b1) >>> 13) ^ index);
    for (const length of [8191, 8192, 8193, 10_001, 131_071, 131_072, 131_073, 134_416, 134_417, 262_145, 299_000])
      for (const begin of [0, 1, 6, 997]) {
        const run = bytes.subarray(begin, begin + length);
        assert.equal(crc32c(run), slowly(run));
        const at = length - 4321;
        assert.equal(crc32c(run.subarray(at), crc32c(run.subarray(0, at))), slowly(run));
      }
  });
});
