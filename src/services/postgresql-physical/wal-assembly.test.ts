import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LogPiece } from '../../core/ports/resource-log.ts';
import { planSegment } from './wal-assembly.ts';
import { endOfLog, newSegmentPiece, readWalLog, supersededPieces } from './wal-pieces.ts';
import { segmentName } from './wal-position.ts';

const SEGMENT = 1024;

interface Made {
  from: number;
  to: number;
  timeline?: number;
  level?: number;
  gapFrom?: number;
}

/** Pieces with sizes of a kilobyte per segment; those that fill one are complete. */
function logOf(...made: readonly Made[]) {
  return readWalLog(
    made.map(({ from, to, timeline = 1, level = 0, gapFrom }, index): LogPiece => {
      const about = { timeline, systemIdentifier: '7', segmentBytes: SEGMENT, level, isPartial: to - from < SEGMENT };
      const gap = gapFrom === undefined ? {} : { gapFrom: BigInt(gapFrom) };
      const range = { start: BigInt(from), end: BigInt(to) };
      const { content: _none, ...piece } = newSegmentPiece({ ...about, ...range, ...gap }, []);
      return { ...piece, id: String(index), size: to - from, createdAt: '', completedAt: '' };
    }),
  );
}

const name = (at: number, timeline = 1) => segmentName(timeline, BigInt(at), SEGMENT);
const plan = (log: ReturnType<typeof logOf>, at: number, timeline = 1, upToGap = false) =>
  planSegment(log, name(at, timeline), { upToGap });

test('a whole segment comes from one piece where there is one, else from as few as possible', () => {
  const log = logOf(
    { from: 0, to: 1024 },
    { from: 0, to: 100 },
    { from: 1024, to: 1100 },
    { from: 1024, to: 1500 },
    { from: 1400, to: 2048 },
  );
  assert.deepEqual(
    plan(log, 0).parts.map(({ piece }) => piece.id),
    ['0'],
  );
  const { kind, parts } = plan(log, 1024);
  assert.equal(kind, 'whole');
  assert.deepEqual(
    parts.map(({ offset, length }) => [offset, length]),
    [
      [0, 476],
      [100, 548],
    ],
  );
});

test('only the end of the log gives a segment that is not whole', () => {
  const log = logOf({ from: 0, to: 1024 }, { from: 1024, to: 1100 }, { from: 1100, to: 1200 });
  assert.equal(plan(log, 1024).kind, 'end');
  assert.equal(plan(log, 2048).kind, 'absent');
  assert.equal(plan(logOf(), 0).kind, 'absent');
  const withHole = logOf({ from: 0, to: 1024 }, { from: 1024, to: 1100 }, { from: 1200, to: 1300 });
  assert.throws(() => plan(withHole, 1024), { code: 'wal-gap' });
  const withoutSegment = logOf({ from: 0, to: 1024 }, { from: 2048, to: 3072 });
  assert.throws(() => plan(withoutSegment, 1024), { code: 'wal-gap' });
});

test('what lies before the first stored segment of a timeline is not there, which is no gap', () => {
  const log = logOf({ from: 4096, to: 5120 }, { from: 5120, to: 5500 }, { from: 5120, to: 6144, timeline: 2 });
  assert.equal(plan(log, 3072).kind, 'absent');
  assert.equal(plan(log, 4096, 2).kind, 'absent');
  assert.equal(plan(log, 5120, 1).kind, 'end');
  assert.equal(plan(log, 5120, 2).kind, 'whole');
});

test('a gap that goes over to another timeline is a gap on both', () => {
  const log = logOf(
    { from: 0, to: 1024 },
    { from: 1024, to: 1200 },
    { from: 4096, to: 5120, timeline: 2, gapFrom: 1200 },
  );
  for (const [at, timeline] of [
    [1024, 1],
    [2048, 1],
    [2048, 2],
    [3072, 2],
  ] as const)
    assert.throws(() => plan(log, at, timeline), { code: 'wal-gap' });
  assert.equal(plan(log, 1024, 1, true).kind, 'end');
  assert.equal(plan(log, 4096, 2).kind, 'whole');
  assert.equal(plan(log, 5120, 2).kind, 'absent');
});

test('however a segment was cut into pieces, its plan covers it once and in order', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: SEGMENT - 1 }), { maxLength: 20 });
  const extra = fc.array(fc.tuple(fc.nat(SEGMENT - 1), fc.integer({ min: 1, max: 300 })), { maxLength: 10 });
  fc.assert(
    fc.property(cuts, extra, (at, more) => {
      const ends = [...new Set([0, ...at, SEGMENT])].sort((a, b) => a - b);
      const pieces = ends.slice(1).map((to, index) => ({ from: ends[index] ?? 0, to }));
      const log = logOf(...pieces, ...more.map(([from, length]) => ({ from, to: Math.min(from + length, SEGMENT) })));
      const { kind, parts } = plan(log, 0);
      assert.equal(kind, 'whole');
      let position = 0;
      for (const { piece, offset, length } of parts) {
        const found = log.segments.find((each) => each.piece === piece);
        assert.equal(Number(found?.start) + offset, position);
        position += length;
      }
      assert.equal(position, SEGMENT);
    }),
  );
});

test('the log ends at the first hole after the newest gap', () => {
  assert.equal(endOfLog(logOf({ from: 0, to: 1024 }, { from: 1024, to: 1100 }), 1), 1100n);
  assert.equal(endOfLog(logOf({ from: 0, to: 1024 }, { from: 1500, to: 1600 }), 1), 1024n);
  assert.equal(endOfLog(logOf({ from: 0, to: 100 }, { from: 3072, to: 3100, gapFrom: 100 }), 1), 3100n);
  assert.equal(endOfLog(logOf({ from: 0, to: 100 }), 2), undefined);
});

test('only small pieces whose every byte is held otherwise are superseded', () => {
  const ids = (...made: Made[]) => supersededPieces(logOf(...made)).map(({ id }) => id);
  assert.deepEqual(ids({ from: 0, to: 100 }, { from: 100, to: 200 }), []);
  assert.deepEqual(ids({ from: 0, to: 100 }, { from: 0, to: 1024 }), ['0']);
  assert.deepEqual(ids({ from: 0, to: 100 }, { from: 50, to: 200, level: 1 }), []);
  assert.deepEqual(ids({ from: 0, to: 100 }, { from: 0, to: 200, level: 1 }), ['0']);
  assert.deepEqual(ids({ from: 0, to: 100 }, { from: 0, to: 100 }), []);
  assert.deepEqual(ids({ from: 1024, to: 1100, gapFrom: 50 }, { from: 1024, to: 2048 }), []);
});
