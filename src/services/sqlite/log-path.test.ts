import assert from 'node:assert/strict';
import test from 'node:test';
import type { LogPiece } from '../../core/ports/resource-log.ts';
import type { DatabasePiece } from './log-facts.ts';
import { runsToMerge } from './log-merging.ts';
import { findPath } from './log-path.ts';

/** RFC 3339 of a second of one hour. */
function second(number: number): string {
  return new Date(Date.UTC(2026, 0, 1, 12) + 1000 * number).toISOString();
}

/** A piece that leads to a state seen at the second `to`. */
function piece(from: number, to: number, change: Partial<DatabasePiece> = {}): DatabasePiece {
  const facts = { kind: 'pages', since: second(from), unchangedUntil: second(to - 1) } as const;
  const sizes = { pages: 1, pageSize: 4096, databaseSizeInPages: 1, state: '' };
  return {
    ...facts,
    ...sizes,
    at: second(to),
    from,
    to,
    piece: { id: `${from}-${to}`, size: 100 } as LogPiece,
    ...change,
  };
}

function whole(to: number, change: Partial<DatabasePiece> = {}): DatabasePiece {
  return piece(to - 1, to, { kind: 'whole', since: '', unchangedUntil: '', ...change });
}

function names(pieces: readonly DatabasePiece[]): string[] {
  return pieces.map(({ from, to }) => `${from}-${to}`);
}

const LATER = { createdAt: second(1000), snapshotAt: second(1000) };

test('a moment leads to the newest state before it, by the longest pieces', () => {
  const pieces = [whole(1), piece(1, 2), piece(2, 3), piece(1, 3), piece(3, 4), piece(4, 6)];
  const path = findPath({ pieces, backup: LATER, moment: second(5), through: '' });
  assert.deepEqual([names(path.pieces), path.target?.to, path.whole?.to, path.next?.to], [['1-3', '3-4'], 4, 1, 6]);
});

test('the newest whole copy is where it begins, be it a piece or a backup', () => {
  const pieces = [whole(1), piece(1, 2), piece(2, 3), whole(10, { from: 3 }), piece(10, 11), piece(11, 20)];
  const from = (createdAt: number, snapshotAt: number) =>
    findPath({
      pieces,
      backup: { createdAt: second(createdAt), snapshotAt: second(snapshotAt) },
      moment: second(20),
      through: '',
    });
  assert.deepEqual([from(2, 2.5).whole?.to, names(from(2, 2.5).pieces)], [10, ['10-11', '11-20']]);
  assert.deepEqual([from(12, 13).whole, names(from(12, 13).pieces)], [undefined, ['11-20']]);
  assert.deepEqual([from(10.5, 13).whole, names(from(10.5, 13).pieces)], [undefined, ['10-11', '11-20']]);
});

test('a backup that is newer than the last state before the moment is the state itself', () => {
  const pieces = [whole(1), piece(1, 2), piece(2, 9)];
  const backup = { createdAt: second(4), snapshotAt: second(5) };
  const path = findPath({ pieces, backup, moment: second(6), through: '' });
  assert.deepEqual([path.target, path.pieces, path.next?.to], [undefined, [], 9]);
});

test('where pieces before the backup are gone, those that are left lead on from it', () => {
  const backup = { createdAt: second(5), snapshotAt: second(6) };
  const pieces = [piece(4, 8), piece(8, 9)];
  const path = findPath({ pieces, backup, moment: second(9), through: '' });
  assert.deepEqual([names(path.pieces), path.whole], [['4-8', '8-9'], undefined]);
});

test('moments before the log, in a gap and behind its end are refused with those that can be reached', () => {
  const pieces = [whole(10), piece(10, 11), whole(20, { from: 11 }), piece(20, 21)];
  const find = (moment: number, through = '') => findPath({ pieces, backup: LATER, moment: second(moment), through });
  for (const moment of [9, 15, 22])
    assert.throws(() => find(moment), {
      code: 'moment-not-in-log',
      message: /from 2026-01-01T12:00:10.000Z to 2026-01-01T12:00:11.000Z, and from 2026-01-01T12:00:20.000Z/,
    });
  assert.equal(find(22, second(30)).target?.to, 21);
  assert.throws(() => find(31, second(30)), { code: 'moment-not-in-log' });
});

test('a whole piece of a database that was followed all the time makes no gap', () => {
  const pieces = [whole(10), piece(10, 11), whole(20, { from: 11, since: second(11), unchangedUntil: second(19) })];
  const path = findPath({ pieces, backup: LATER, moment: second(15), through: '' });
  assert.deepEqual([path.target?.to, path.next?.to], [11, 20]);
});

test('pieces are merged by minutes, later by hours, and never across a whole copy or a gap', () => {
  const pieces = [whole(1), ...[2, 3, 4, 59, 61, 62].map((to, place, all) => piece(all[place - 1] ?? 1, to))];
  const after = (seconds: number, keepMinutes: number) =>
    runsToMerge(pieces, { keepSeconds: 60, keepMinutes }, new Date(second(seconds))).map(names);
  assert.deepEqual(after(100, 1440), []);
  assert.deepEqual(after(130, 1440), [['1-2', '2-3', '3-4', '4-59']]);
  assert.deepEqual(
    after(4000, 1440).map(({ length }) => length),
    [4, 2],
  );
  assert.deepEqual(
    after(4000, 1).map(({ length }) => length),
    [6],
  );
  const broken = [piece(1, 2), piece(2, 3), piece(5, 6), piece(6, 7), whole(8), piece(8, 9)];
  const runs = runsToMerge(broken, { keepSeconds: 60, keepMinutes: 1 }, new Date(second(9000)));
  assert.deepEqual(runs.map(names), [
    ['1-2', '2-3'],
    ['5-6', '6-7'],
  ]);
});

test('a moment behind a lost piece is never answered with an older backup', () => {
  const pieces = [whole(1), piece(1, 2), piece(6, 9)];
  const of = (at: number) => ({ createdAt: second(at - 1), snapshotAt: second(at) });
  const ask = (backup: number) => findPath({ pieces, backup: of(backup), moment: second(7.5), through: '' });
  assert.throws(() => ask(3), { code: 'moment-not-in-log' });
  assert.deepEqual(ask(7), { pieces: [], next: pieces[2] });
});
