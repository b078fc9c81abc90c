import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dateOfDay, dayNumber, formatCivilDate, isOrdinaryDay, parseCivilDate } from './civil-date.ts';

test('what was read is written as it was', () => {
  const texts = [
    '2026-01-31',
    '0044-03-15 BC',
    '0001-01-01',
    '294276-12-31 23:59:59.999999+00',
    '2026-01-31 10:00:00.123+02',
    '2026-01-31T10:00:00Z',
    '2026-01-31 10:00',
    '2026-01-31 24:00:00',
    '2016-12-31 23:59:60',
    '1890-01-01 00:00:00+00:53:28',
    '2026-01-31 10:00:00-0330',
    '2024-02-29',
    '2026-00-00',
    '0000-00-00',
  ];
  for (const text of texts) {
    const date = parseCivilDate(text);
    assert.ok(date, text);
    assert.equal(formatCivilDate(date), text);
  }
});

test('what is no date is none', () => {
  for (const text of [
    '',
    '2026',
    '2026-1-1',
    '2026-02-29',
    '2026-04-31',
    '2026-13-01',
    '2026-01-32',
    '26-01-01',
    '2026-01-01 1:00',
    '2026-01-01 10:60',
    'today',
    '2026-01-01\n',
  ]) {
    assert.equal(parseCivilDate(text), undefined, text);
  }
});

test('days are numbered as those of the language are, in all its years', () => {
  fc.assert(
    fc.property(fc.integer({ min: -90_000_000, max: 90_000_000 }), (days) => {
      const date = dateOfDay(days);
      const known = new Date(days * 86_400_000);
      assert.deepEqual(
        [date.year, date.month, date.day],
        [known.getUTCFullYear(), known.getUTCMonth() + 1, known.getUTCDate()],
      );
      assert.equal(dayNumber(date), days);
    }),
    { numRuns: 500 },
  );
});

test('an ordinary day is one of the years 1 to 9999 of which nothing is left open', () => {
  assert.deepEqual(
    ['2026-01-31', '0001-01-01', '2024-02-29', '9999-12-31'].filter((text) => !isOrdinaryDay(text)),
    [],
  );
  const others = ['0000-01-01', '2026-00-01', '2026-01-00', '2026-02-29', '2026-13-01', '2026-01-32', '2026-01-3a'];
  const longer = ['2026-01-31 10:00:00', '10000-01-01', '0044-03-15 BC', 'infinity', '-infinity', '2026.01.31', ''];
  assert.deepEqual([...others, ...longer].filter(isOrdinaryDay), []);
});
