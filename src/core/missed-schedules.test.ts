import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missedSchedules } from './missed-schedules.ts';
import type { Schedule } from './schedule.ts';

const NIGHTLY: Schedule = {
  id: 'nightly',
  resourceId: 'shop',
  cron: '30 2 * * *',
  timeZone: 'Europe/Berlin',
  type: 'full',
  enabled: true,
  createdAt: '2026-03-01T00:00:00.000Z',
  updatedAt: '2026-03-01T00:00:00.000Z',
  lastRunAt: '2026-03-27T01:30:00.000Z',
};

const missed = (change: Partial<Schedule>, now: string) => missedSchedules([{ ...NIGHTLY, ...change }], new Date(now));

test('a schedule that was due since its last run was missed, and only then', () => {
  assert.equal(missed({}, '2026-03-28T01:29:59.000Z').length, 0);
  assert.equal(missed({}, '2026-03-28T01:30:00.000Z').length, 1);
  assert.equal(missed({}, '2026-04-28T01:30:00.000Z').length, 1);
});

test('what was due before a schedule was made or changed was not missed', () => {
  assert.equal(missed({ updatedAt: '2026-03-28T10:00:00.000Z' }, '2026-03-28T11:00:00.000Z').length, 0);
  const { lastRunAt: _lastRunAt, ...neverRan } = NIGHTLY;
  assert.equal(missedSchedules([neverRan], new Date('2026-03-01T01:00:00.000Z')).length, 0);
  assert.equal(missedSchedules([neverRan], new Date('2026-03-02T01:31:00.000Z')).length, 1);
});

test('a schedule that is switched off, or never due again, was not missed', () => {
  assert.equal(missed({ enabled: false }, '2026-04-28T01:30:00.000Z').length, 0);
  assert.equal(missed({ cron: '0 0 30 2 *' }, '2026-04-28T01:30:00.000Z').length, 0);
});
