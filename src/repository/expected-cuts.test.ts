import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { pseudoRandom } from '../../test/golden/inputs.ts';
import { RUNS } from '../../test/mutated-bytes.ts';
import type { ExpectedContent } from '../core/ports/repository.ts';
import type { ContentSegment } from '../core/tree-entry.ts';
import { Chunker } from './chunker.ts';
import { CutContent } from './pipeline/cut-content.ts';

const SIZES = { minimum: 256, average: 1024, maximum: 4096 };
const INPUT = pseudoRandom('expected cuts', 60_000);

/** Counts the bytes that it looks at for cuts. */
class CountingChunker extends Chunker {
  looked = 0;

  override find(bytes: Uint8Array, start: number, end: number, seen: number): number | undefined {
    const found = super.find(bytes, start, end, seen);
    this.looked += (found ?? end) - Math.max(start, seen);
    return found;
  }
}

const chunker = new CountingChunker(Buffer.alloc(32, 6), SIZES);
const buffer = CutContent.newBuffer(chunker);
const store = {
  identify: (plain: Uint8Array) => createHash('sha256').update(plain).digest(),
  put: (_kind: unknown, { length }: Uint8Array, id: Buffer): ContentSegment => ({ id, length }),
};

/** Bytes, or a hole. */
type Run = Buffer | { hole: number };

/** @param pieces lengths of what is read at once, over and over */
function cut(runs: readonly Run[], pieces: readonly number[], expected?: ExpectedContent): ContentSegment[] {
  const content = new CutContent(store, chunker, expected, buffer, () => undefined);
  let turn = 0;
  for (const run of runs) {
    if ('hole' in run) {
      content.hole(run.hole);
      continue;
    }
    for (let at = 0; at < run.length; ) {
      const room = content.room();
      const length = Math.min(pieces[turn++ % pieces.length] as number, room.length, run.length - at);
      room.set(run.subarray(at, at + length));
      content.advance(length);
      at += length;
    }
  }
  return content.finish();
}

function cutsOf(segments: readonly ContentSegment[]): string[] {
  return segments.map(({ id, length }) => `${length} ${id === null ? 'hole' : Buffer.from(id).toString('hex')}`);
}

const bytes = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(40_000), fc.nat(20_000)).map(([at, length]) => INPUT.subarray(at, at + length)),
  },
  fc.tuple(fc.nat(3), fc.nat(20_000)).map(([value, length]) => Buffer.alloc(length, value)),
);
const hole = fc.integer({ min: 1, max: 9000 }).map((length): Run => ({ hole: length }));
const content = fc.array(fc.oneof({ weight: 4, arbitrary: bytes }, hole), { maxLength: 6 });

interface Edit {
  kind: 'overwrite' | 'insert' | 'delete' | 'append' | 'truncate' | 'move' | 'double';
  at: number;
  length: number;
  to: number;
}
const edit = fc.record<Edit>({
  kind: fc.constantFrom('overwrite', 'insert', 'delete', 'append', 'truncate', 'move', 'double'),
  at: fc.nat(60_000),
  length: fc.nat(3000),
  to: fc.nat(60_000),
});

/** Edits one of a content's runs of bytes. */
function edited(runs: readonly Run[], edits: readonly Edit[]): Run[] {
  const changed = [...runs];
  for (const { kind, at, length, to } of edits) {
    const chosen = changed.findIndex((run, index) => !('hole' in run) && index >= to % (changed.length + 1));
    const run = changed[chosen];
    if (run === undefined || 'hole' in run) continue;
    const from = at % (run.length + 1);
    const until = Math.min(run.length, from + length);
    const block = run.subarray(from, until);
    const rest = Buffer.concat([run.subarray(0, from), run.subarray(until)]);
    const place = to % (rest.length + 1);
    const fresh = INPUT.subarray(to % 50_000, (to % 50_000) + length);
    changed[chosen] = {
      overwrite: () => Buffer.concat([run.subarray(0, from), fresh.subarray(0, until - from), run.subarray(until)]),
      insert: () => Buffer.concat([run.subarray(0, from), fresh, run.subarray(from)]),
      delete: () => rest,
      append: () => Buffer.concat([run, fresh]),
      truncate: () => run.subarray(0, from),
      move: () => Buffer.concat([rest.subarray(0, place), block, rest.subarray(place)]),
      double: () => Buffer.concat([run.subarray(0, until), block, run.subarray(until)]),
    }[kind]();
  }
  return changed;
}

const pieces = fc.array(fc.integer({ min: 1, max: 6000 }), { minLength: 1, maxLength: 4 });

describe('a content that is expected', () => {
  test('is cut as it is without anything expected, whatever was edited and however it is read', () => {
    fc.assert(
      fc.property(
        content,
        fc.array(edit, { maxLength: 4 }),
        pieces,
        fc.nat(8),
        fc.integer({ min: -5000, max: 5000 }),
        (before, edits, lengths, dropped, shift) => {
          const segments = cut(before, lengths).slice(dropped);
          const after = edited(before, edits);
          const plain = cutsOf(cut(after, lengths));
          const missing = cut(before, lengths).slice(0, dropped);
          const offset = missing.reduce((sum, { length }) => sum + length, 0);
          assert.deepEqual(cutsOf(cut(after, lengths, { segments, offset })), plain);
          assert.deepEqual(cutsOf(cut(after, lengths, { segments, offset: shift })), plain);
        },
      ),
      RUNS,
    );
  });

  test('is cut alike where the expected chunks ended because a part of the content did', () => {
    const parts = fc.array(fc.nat(30_000), { maxLength: 5 });
    fc.assert(
      fc.property(parts, fc.nat(20_000), pieces, (places, from, lengths) => {
        const whole = INPUT.subarray(from, from + 30_000);
        const ends = [...places, whole.length].sort((a, b) => a - b);
        const segments = ends.flatMap((end, index) => cut([whole.subarray(ends[index - 1] ?? 0, end)], lengths));
        const expected = { segments, offset: 0 };
        assert.deepEqual(cutsOf(cut([whole], lengths, expected)), cutsOf(cut([whole], lengths)));
        for (const end of ends)
          assert.deepEqual(
            cutsOf(cut([whole.subarray(0, end)], lengths, expected)),
            cutsOf(cut([whole.subarray(0, end)], lengths)),
          );
      }),
      RUNS,
    );
  });

  test('is not looked through for cuts where nothing changed, and holes neither', () => {
    for (const runs of [[INPUT], [Buffer.alloc(50_000)], [INPUT, { hole: 5000 }, INPUT.subarray(7000, 30_000)]]) {
      const segments = cut(runs, [1500]);
      chunker.looked = 0;
      assert.deepEqual(cutsOf(cut(runs, [700], { segments, offset: 0 })), cutsOf(segments));
      assert.equal(chunker.looked, 0);
    }
  });

  test('is looked through for cuts only next to what was inserted, removed or moved', () => {
    const segments = cut([INPUT], [6000]);
    for (const changed of [
      [INPUT.subarray(0, 30_000), INPUT.subarray(0, 500), INPUT.subarray(30_000)],
      [INPUT.subarray(0, 30_000), INPUT.subarray(32_000)],
      [INPUT.subarray(0, 30_000), Buffer.alloc(2000), INPUT.subarray(32_000)],
      [INPUT.subarray(30_000), INPUT.subarray(0, 30_000)],
      [INPUT.subarray(0, 30_000), INPUT.subarray(10_000, 30_000), INPUT.subarray(30_000)],
    ]) {
      chunker.looked = 0;
      cut([Buffer.concat(changed)], [6000], { segments, offset: 0 });
      assert.ok(chunker.looked < 16_000, `${chunker.looked} bytes`);
    }
  });

  test('is cut alike where what is expected can be no chunk', () => {
    const segments = [0, 1, SIZES.maximum + 1, 1_000_000].map((length) => ({
      id: store.identify(INPUT.subarray(0, length)),
      length,
    }));
    const plain = cutsOf(cut([INPUT], [6000]));
    for (const segment of segments) {
      const expected = { segments: [segment, ...segments], offset: 0 };
      assert.deepEqual(cutsOf(cut([INPUT], [6000], expected)), plain);
    }
  });

  test('is cut alike where a chunk of no bytes is expected at its end', () => {
    const nothing = { id: store.identify(Buffer.alloc(0)), length: 0 };
    for (const run of [INPUT.subarray(0, 3000), Buffer.alloc(0)]) {
      const plain = cut([run], [6000]);
      assert.deepEqual(
        cutsOf(cut([run], [6000], { segments: [...plain, nothing, nothing], offset: 0 })),
        cutsOf(plain),
      );
    }
  });
});
