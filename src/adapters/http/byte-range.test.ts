import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestedRange } from './byte-range.ts';

test('a range begins and ends within the content', () => {
  for (const [header, range] of [
    ['bytes=0-0', { offset: 0, length: 1 }],
    ['bytes=10-19', { offset: 10, length: 10 }],
    ['Bytes=90-', { offset: 90, length: 10 }],
    ['bytes=90-1000', { offset: 90, length: 10 }],
    ['bytes=-1', { offset: 99, length: 1 }],
    ['bytes=-1000', { offset: 0, length: 100 }],
  ] as const)
    assert.deepEqual(requestedRange(header, 100), range, header);
});

test('a range behind the end, or of nothing, cannot be given', () => {
  for (const header of ['bytes=100-', 'bytes=100-200', 'bytes=-0', 'bytes=99999999999999999999-'])
    assert.equal(requestedRange(header, 100), 'unsatisfiable', header);
  assert.equal(requestedRange('bytes=0-', 0), 'unsatisfiable');
});

test('anything else asks for the whole', () => {
  for (const header of [undefined, '', 'bytes=', 'bytes=-', 'bytes=5-4', 'bytes=0-1,2-3', 'items=0-1', 'bytes=a-b'])
    assert.equal(requestedRange(header, 100), undefined, String(header));
});
