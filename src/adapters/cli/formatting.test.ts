import assert from 'node:assert/strict';
import test from 'node:test';
import { count, formatBytes, formatDuration, formatTime } from './formatting.ts';

test('sizes have one decimal in binary units, and never show 1024 of one unit', () => {
  const sizes = [0, 1023, 1024, 1536, 1024 ** 2 - 1, 1024 ** 3, 5 * 1024 ** 5];
  assert.deepEqual(sizes.map(formatBytes), ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '1.0 MiB', '1.0 GiB', '5.0 PiB']);
});

test('durations are exact when short and rough when long', () => {
  const durations = [0, 940, 59_400, 61_000, 3_725_000];
  assert.deepEqual(durations.map(formatDuration), ['0.0 s', '0.9 s', '59 s', '1 min 01 s', '1 h 02 min']);
});

test('times are shown in the zone of the process and have one width', () => {
  assert.equal(formatTime(new Date(2026, 0, 2, 3, 4, 5)), '2026-01-02 03:04:05');
});

test('counts agree with their nouns', () => {
  assert.equal(count(1, 'file'), '1 file');
  assert.equal(count(1200, 'file'), '1,200 files');
  assert.equal(count(0, 'entry', 'entries'), '0 entries');
});
