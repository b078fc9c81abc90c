import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mixed } from '../mixed.ts';
import { rowMark, sampleBound, samplePlaces } from './stable-sample.ts';

const MARKS = Array.from({ length: 20_000 }, (_, row) => rowMark('public.users', [String(row)]));

test('numbers are mixed as by the reference code of MurmurHash3', () => {
  // fmix32 of the reference implementation (github.com/aappleby/smhasher), computed by its C code.
  for (const [value, hashed] of [
    [0, 0],
    [1, 0x514e28b7],
    [2, 0x30f4c306],
    [0xffffffff, 0x81f16f39],
  ] as const)
    assert.equal(mixed(value), hashed);
});

test('each seed has its own sample, of the share that is asked for, in which nobody has a better place because of another seed', () => {
  const chosen = (seed: string) => {
    const placeOf = samplePlaces(seed);
    return new Set(MARKS.flatMap((mark, row) => (placeOf(mark) < sampleBound(0.1) ? [row] : [])));
  };
  const [one, other] = [chosen('one'), chosen('other')];
  const both = [...one].filter((row) => other.has(row)).length;
  // 2000 and 200 are expected, with standard deviations of 42 and 14.
  for (const { size } of [one, other]) assert.ok(Math.abs(size - 2000) < 250, `${size}`);
  assert.ok(Math.abs(both - 200) < 85, `${both}`);
  assert.deepEqual(chosen('one'), one);
});

test('rows of different tables, and keys whose parts are cut elsewhere, have marks of their own', () => {
  const marks = [
    rowMark('a', ['1']),
    rowMark('b', ['1']),
    rowMark('a', ['1', '2']),
    rowMark('a', ['12']),
    rowMark('a', [null]),
  ];
  assert.equal(new Set(marks).size, marks.length);
});
