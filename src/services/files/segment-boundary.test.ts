import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findBoundary, isBoundary, WARM_UP } from './segment-boundary.ts';

/** A long stretch of bytes that are always the same. */
function pseudoRandom(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

describe('findBoundary', () => {
  const bytes = pseudoRandom(16_000_000, 7);
  const boundary = findBoundary(bytes);

  test('finds a place in some megabytes of content, never before its hash is warm', () => {
    assert.ok(boundary > WARM_UP && boundary < bytes.length, `${boundary}`);
  });

  test('finds the same content wherever the search begins in front of it', () => {
    for (const start of [1, 1000, boundary - 1000, boundary - WARM_UP - 1])
      assert.equal(start + findBoundary(bytes.subarray(start)), boundary);
  });

  test('an insertion in front leaves later boundaries at the same content', () => {
    const nominal = boundary - 500_000;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 5000 }), (inserted) => {
        // What a search from the same nominal start sees after the insertion.
        const shifted = Buffer.concat([
          bytes.subarray(nominal - inserted.length, nominal),
          bytes.subarray(nominal, boundary + 9),
        ]);
        assert.equal(findBoundary(shifted), boundary - nominal + inserted.length);
      }),
      { numRuns: 10 },
    );
  });

  test('depends on the last bytes before the boundary alone', () => {
    const tail = bytes.subarray(boundary - WARM_UP - 1, boundary + 10);
    assert.equal(findBoundary(tail), WARM_UP + 1);
  });

  test('a place alone is known as one by the bytes before it', () => {
    assert.ok(isBoundary(bytes.subarray(boundary - WARM_UP, boundary)));
    for (let at = boundary - 1000; at < boundary; at++) assert.ok(!isBoundary(bytes.subarray(at - WARM_UP, at)));
  });

  test('tells with the length that there is none', () => {
    assert.equal(findBoundary(Buffer.alloc(0)), 0);
    assert.equal(findBoundary(Buffer.alloc(10)), 10);
    assert.equal(findBoundary(Buffer.alloc(100_000)), 100_000);
  });
});
