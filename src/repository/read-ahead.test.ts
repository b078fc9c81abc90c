import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAhead } from './read-ahead.ts';

const MEBIBYTE = 1024 * 1024;

test('what is read ahead is shared by all who read, and whoever says twice that it ended counts once', () => {
  const ends = [readAhead.begin()];
  assert.deepEqual([readAhead.share, readAhead.windowBytes, readAhead.isCrowded], [8 * MEBIBYTE, 2 * MEBIBYTE, false]);
  for (let reader = 1; reader < 50; reader++) ends.push(readAhead.begin());
  assert.ok(readAhead.share * 50 <= 16 * MEBIBYTE && readAhead.isCrowded);
  for (const end of [...ends.slice(1), ...ends.slice(1)]) end();
  assert.equal(readAhead.share, 8 * MEBIBYTE);
  ends[0]?.();
});
