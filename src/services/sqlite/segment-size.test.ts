import assert from 'node:assert/strict';
import test from 'node:test';
import { segmentBytesFor } from './segment-size.ts';

const GIB = 1024 ** 3;
const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

test('a segment holds whole pages, and a page lies in one segment', () => {
  for (const pageSize of PAGE_SIZES)
    for (const length of [0, pageSize, GIB, 3 * GIB, 17 * GIB, 1024 * GIB])
      assert.equal(segmentBytesFor(length, pageSize) % pageSize, 0);
});

test('the index of one database takes no more than two million segments up to 512 GiB', () => {
  for (let length = 4096; length <= 512 * GIB; length *= 2) {
    assert.ok(length / segmentBytesFor(length, 512) <= 2 * 1024 ** 2 + 1, `${length} bytes`);
  }
});
