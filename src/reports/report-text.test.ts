import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { escaped, formatBytes, formatDuration, formatExactBytes, formatMoment } from './report-text.ts';

describe('texts of reports', () => {
  test('are escaped for elements and attributes, and cannot turn a line around', () => {
    assert.equal(escaped(`<a href="x" id='y'>&amp;`), '&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;');
    assert.equal(escaped('a\u0000b\u001bc\u202ed\ne\tf'), 'a�b�c�d\ne\tf');
  });

  test('say durations in the two units that matter', () => {
    const durations = [0, 850, 12_400, 200_000, 18_600_000, 183_600_000].map(formatDuration);
    assert.deepEqual(durations, ['0 ms', '850 ms', '12.4 s', '3 min 20 s', '5 h 10 min', '2 days 3 h']);
  });

  test('say sizes shortly and exactly', () => {
    assert.deepEqual([0, 1, 1023, 1536, 5 * 1024 ** 4].map(formatBytes), [
      '0 bytes',
      '1 byte',
      '1,023 bytes',
      '1.5 KiB',
      '5.0 TiB',
    ]);
    assert.deepEqual([12, 1536].map(formatExactBytes), ['12 bytes', '1.5 KiB (1,536 bytes)']);
  });

  test('say moments to the second, in UTC', () => {
    assert.equal(formatMoment('2026-11-21T10:40:42.123Z'), '2026-11-21 10:40:42 UTC');
  });
});
