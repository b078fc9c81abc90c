import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { LineMarks } from './line-marks.ts';

const [TAB, NEWLINE, BACKSLASH] = [0x09, 0x0a, 0x5c];

/** What is sought, what stands beside it in ASCII, and what is the same but for its highest bit. */
const byte = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0x61) },
  { weight: 1, arbitrary: fc.constantFrom(TAB, NEWLINE, BACKSLASH, 0x08, 0x0b, 0x5b, 0x5d, 0x89, 0x8a, 0xdc, 0) },
);

describe('the marks of a block', () => {
  const found = new LineMarks();

  it('are all tabs, line ends and backslashes, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 300 }), fc.constantFrom(byte, TAB, NEWLINE, BACKSLASH), (bytes, last) =>
        requireFound(found, Uint8Array.from([...bytes, ...(typeof last === 'number' ? [last] : [])])),
      ),
      { numRuns: 500 },
    );
  });

  it('are found in blocks that are larger than what is looked at in one call', () => {
    const line = Buffer.from('a\t\\N\tb\n');
    for (const length of [1 << 18, (1 << 18) + 1, 600_001]) requireFound(found, Buffer.alloc(length, line));
  });

  it('are found where every byte is one', () => {
    for (const mark of [TAB, NEWLINE, BACKSLASH]) requireFound(found, Buffer.alloc((1 << 18) + 70, mark));
  });

  it('are none of the block before', () => {
    requireFound(found, Buffer.alloc(1000, NEWLINE));
    requireFound(found, Buffer.from('a'));
    requireFound(found, new Uint8Array(0));
  });
});

test('without WebAssembly no marks are found, in place of fewer', () => {
  const platform = Reflect.get(globalThis, 'WebAssembly');
  Reflect.deleteProperty(globalThis, 'WebAssembly');
  try {
    assert.throws(() => new LineMarks(), ReferenceError);
  } finally {
    Reflect.defineProperty(globalThis, 'WebAssembly', { value: platform, configurable: true, writable: true });
  }
});

function requireFound(found: LineMarks, block: Uint8Array): void {
  const placesOf = (...wanted: number[]) => [...block.keys()].filter((at) => wanted.includes(block[at]!));
  found.find(block);
  assert.deepEqual([...found.marks.subarray(0, found.count)], [-1, ...placesOf(TAB, NEWLINE)]);
  assert.deepEqual([...found.backslashes.subarray(0, found.backslashCount)], placesOf(BACKSLASH));
  assert.equal(found.lineEnds, placesOf(NEWLINE).length);
}
