import assert from 'node:assert/strict';
import test from 'node:test';
import { areJoined } from './backup.ts';
import type { SegmentResult } from './file-reader.ts';
import type { SourceFault } from './source-fault.ts';

test('a file whose segments do not begin where those before them end is not put together', () => {
  assert.equal(areJoined([]), true);
  assert.equal(areJoined([part(0, 10), part(10, 5), part(15, 0)]), true);
  assert.equal(areJoined([part(0, 10), part(9, 5)]), false);
  assert.equal(areJoined([part(0, 10), part(11, 5)]), false);
  assert.equal(areJoined([part(1, 10)]), false);
});

test('a segment that could not be read says nothing of how the others are joined', () => {
  const fault = { code: 'EIO' } as unknown as SourceFault;
  assert.equal(areJoined([part(0, 10), { fault }, part(30, 5)]), true);
});

function part(from: number, bytes: number): SegmentResult {
  return { from, bytes, segments: [], readBytes: bytes, status: { size: 0, modifiedAt: 0n, changedAt: 0n } };
}
