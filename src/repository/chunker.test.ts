import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { pseudoRandom } from '../../test/golden/inputs.ts';
import { RUNS } from '../../test/mutated-bytes.ts';
import { Chunker, gearTable } from './chunker.ts';

const SECRET = Buffer.alloc(32, 6);
const SIZES = { minimum: 256, average: 1024, maximum: 4096 };
const INPUT = pseudoRandom('chunker', 300_000);

function cutsOf(chunker: Chunker, bytes: Uint8Array): number[] {
  const ends: number[] = [];
  for (let start = 0; start < bytes.length; ) {
    start = chunker.cut(bytes, start, bytes.length);
    ends.push(start);
  }
  return ends;
}

describe('the chunker', () => {
  const chunker = new Chunker(SECRET, SIZES);

  test('cuts the whole input into chunks within the bounds, only the last one shorter', () => {
    const inputs = fc
      .tuple(fc.nat(200_000), fc.nat(20_000), fc.boolean())
      .map(([at, length, flat]) => (flat ? Buffer.alloc(length, at % 7) : INPUT.subarray(at, at + length)));
    fc.assert(
      fc.property(inputs, (bytes) => {
        const ends = cutsOf(chunker, bytes);
        assert.equal(ends.at(-1) ?? 0, bytes.length);
        let start = 0;
        for (const [index, end] of ends.entries()) {
          assert.ok(end > start && end - start <= SIZES.maximum);
          if (index < ends.length - 1) assert.ok(end - start > SIZES.minimum);
          start = end;
        }
      }),
      RUNS,
    );
  });

  test('finds the same cuts again after an insertion, a little further along', () => {
    fc.assert(
      fc.property(fc.nat(50_000), fc.uint8Array({ minLength: 1, maxLength: 500 }), (at, inserted) => {
        const edited = Buffer.concat([INPUT.subarray(0, at), inserted, INPUT.subarray(at)]);
        const before = new Set(cutsOf(chunker, INPUT).map((end) => end + inserted.length));
        const after = cutsOf(chunker, edited);
        const common = after.findIndex((end) => end >= at + inserted.length && before.has(end));
        assert.ok(common !== -1 && (after[common] as number) - at < 40_000, 'cuts never met again');
        for (const end of after.slice(common)) assert.ok(before.has(end));
      }),
      { numRuns: 30 },
    );
  });

  test('cuts at the same places whether it is given the rest of the input or not', () => {
    const whole = cutsOf(chunker, INPUT);
    const stepwise: number[] = [];
    for (let start = 0; start < INPUT.length; ) {
      const end = Math.min(INPUT.length, start + SIZES.maximum);
      start = chunker.cut(INPUT, start, end);
      stepwise.push(start);
    }
    assert.deepEqual(stepwise, whole);
  });

  test('finds the same cuts when the bytes come piece by piece, whatever the pieces', () => {
    const whole = cutsOf(chunker, INPUT);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        const cuts: number[] = [];
        let start = 0;
        let seen = 0;
        for (let end = 0, piece = 0; end < INPUT.length; piece++) {
          end = Math.min(INPUT.length, end + (sizes[piece % sizes.length] as number));
          for (let cut = chunker.find(INPUT, start, end, seen); ; cut = chunker.find(INPUT, start, end, seen)) {
            seen = cut ?? end;
            if (cut === undefined) break;
            cuts.push(cut);
            start = cut;
          }
        }
        if (start < INPUT.length) cuts.push(INPUT.length);
        assert.deepEqual(cuts, whole);
      }),
      { numRuns: 30 },
    );
  });

  test('says of every place before the cut that a chunk cannot end there, and of the cut that it can', () => {
    const flat = Buffer.alloc(3 * SIZES.maximum, 1);
    for (const bytes of [INPUT.subarray(0, 60_000), flat]) {
      let start = 0;
      for (const cut of cutsOf(chunker, bytes).slice(0, -1)) {
        const places = Array.from({ length: cut - start + 1 }, (_, index) => start + index);
        assert.deepEqual(
          places.filter((end) => chunker.endsAt(bytes, start, end)),
          [cut],
        );
        assert.equal(chunker.endsAt(bytes, start, start + SIZES.maximum + 1), false);
        start = cut;
      }
    }
  });

  test('tells of a possible end by the 32 bytes before it alone', () => {
    const ends = cutsOf(chunker, INPUT);
    for (const [index, end] of ends.slice(0, -1).entries()) {
      const start = ends[index - 1] ?? 0;
      if (end - start === SIZES.maximum) continue;
      const changed = Buffer.alloc(INPUT.length, 9);
      changed.set(INPUT.subarray(end - 32, end), end - 32);
      assert.ok(chunker.endsAt(changed, start, end));
    }
  });

  test('makes chunks of about the average size on random bytes', () => {
    const mean = INPUT.length / cutsOf(chunker, INPUT).length;
    assert.ok(mean > SIZES.average * 0.6 && mean < SIZES.average * 1.6, `${mean}`);
  });

  test('takes its table from the secret: another secret cuts elsewhere', () => {
    const other = new Chunker(Buffer.alloc(32, 7), SIZES);
    const shared = cutsOf(other, INPUT).filter((end) => cutsOf(chunker, INPUT).includes(end));
    assert.ok(shared.length < 20, `${shared.length} cuts were the same`);
    assert.equal(new Set(gearTable(SECRET)).size, 256);
  });

  test('cuts runs of one byte at the maximum unless their hash says otherwise, and ends', () => {
    for (const byte of [0, 1, 255]) assert.equal(cutsOf(chunker, Buffer.alloc(10_000, byte)).at(-1), 10_000);
  });
});
