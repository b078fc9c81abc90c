import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RowBits } from './row-bits.ts';
import { RowReferences } from './row-references.ts';

const NUMBERS = fc.oneof(
  fc.integer({ min: -2, max: 300 }),
  fc.integer({ min: 1_000_000, max: 1_000_200 }),
  fc.integer({ min: -2, max: 2 ** 31 - 1 }),
);

test('references are what they were, however close together they lie', () => {
  const property = fc.property(
    fc.array(NUMBERS, { maxLength: 50 }),
    fc.nat({ max: 3 }),
    fc.constantFrom(0, 1, 65_535, 65_536),
    (numbers, repeats, before) => {
      const references = Int32Array.from([
        ...new Array<number>(before).fill(7),
        ...Array.from({ length: repeats }, () => numbers).flat(),
      ]);
      const packed = RowReferences.of(references);
      const copy = new RowReferences(structuredClone(packed.plain));
      assert.equal(copy.length, references.length);
      assert.ok(references.every((reference, row) => packed.at(row) === reference && copy.at(row) === reference));
    },
  );
  fc.assert(property, { numRuns: 200 });
});

test('the rows that refer to some rows are those whose reference is one of them, in their order', () => {
  const property = fc.property(
    fc.array(NUMBERS, { maxLength: 50 }),
    fc.constantFrom(0, 1, 65_535, 65_536),
    fc.array(fc.oneof(fc.nat(300), fc.integer({ min: 1_000_000, max: 1_000_200 })), { maxLength: 200 }),
    (numbers, before, chosen) => {
      const references = Int32Array.from([...new Array<number>(before).fill(-1), ...numbers, ...numbers]);
      const targets = new RowBits(1_000_201);
      for (const target of chosen) targets.add(target);
      const found: [number, number][] = [];
      RowReferences.of(references).eachTo(targets, (row, target) => found.push([row, target]));
      const wanted = [...references.entries()].filter(([, target]) => target >= 0 && targets.has(target));
      assert.deepEqual(found, wanted);
    },
  );
  fc.assert(property, { numRuns: 200 });
});

test('references to neighbours take a byte, to rows of a small table two, and others four', () => {
  const bytesOf = (of: (row: number) => number) =>
    RowReferences.of(Int32Array.from({ length: 200_000 }, (_, row) => of(row))).plain.bytes.length;
  assert.equal(
    bytesOf(() => -1),
    200_000,
  );
  assert.equal(
    bytesOf((row) => 1_000_000 + (row % 250)),
    200_000,
  );
  assert.equal(
    bytesOf((row) => (row * 7919) % 65_000),
    400_000,
  );
  assert.equal(
    bytesOf((row) => row >> 2),
    400_000,
  );
  assert.equal(
    bytesOf((row) => (row * 7919) % 70_000),
    800_000,
  );
});

test('parts of references that do not fit together are refused', () => {
  const { plain } = RowReferences.of(Int32Array.of(1, 2, 3));
  for (const wrong of [{ rows: 9 }, { bytes: new Uint8Array(0) }, { lows: new Int32Array(2) }])
    assert.throws(() => new RowReferences({ ...plain, ...wrong }), RangeError);
});
