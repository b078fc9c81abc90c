import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Notification } from '../core/ports/notifier.ts';
import { RepeatedNotifications } from './repeated-notifications.ts';

const LATE: Notification = {
  type: 'log-failed',
  subject: 'shop',
  message: 'The stored WAL is 1000000 bytes behind.',
  details: {},
};
const at = (minutes: number) => new Date(Date.UTC(2026, 0, 1) + minutes * 60_000);
const TOLD = { tell: true, heldBack: 0 };

describe('the same', () => {
  test('is told once in an hour, and then with how often it was held back', () => {
    const repeated = new RepeatedNotifications();
    assert.deepEqual(repeated.consider(LATE, at(0)), TOLD);
    for (const minute of [1, 20, 54]) assert.equal(repeated.consider(LATE, at(minute)).tell, false);
    assert.deepEqual(repeated.consider(LATE, at(60)), { tell: true, heldBack: 3 });
    assert.deepEqual(repeated.consider(LATE, at(120)), TOLD, 'what fails each hour is told each hour');
  });

  test('may have other amounts of bytes and time, and other moments, in its message', () => {
    const repeated = new RepeatedNotifications();
    repeated.consider(LATE, at(0));
    const later = { ...LATE, message: 'The stored WAL is 25000000 bytes behind.' };
    assert.equal(repeated.consider(later, at(1)).tell, false);
    const slow = (time: string) => ({ ...LATE, message: `The server did not answer within ${time} s.` });
    repeated.consider(slow('5'), at(0));
    assert.equal(repeated.consider(slow('7.25'), at(1)).tell, false);
    const gap = (time: Date) => ({ ...LATE, message: `Moments between ${time.toISOString()} and now are not kept.` });
    repeated.consider(gap(at(0)), at(1));
    assert.equal(repeated.consider(gap(at(2)), at(3)).tell, false);
  });

  test('has no other numbers: they tell of other causes, places and extents', () => {
    for (const [one, other] of [
      ['A check found 1 damages; 1 backups are hit.', 'A check found 412 damages; 90 backups are hit.'],
      ['The storage answered 503.', 'The storage answered 403.'],
      ['pg_dump ended with code 1.', 'pg_dump ended with code 137.'],
      ['There is no /mnt/disk1 to back up.', 'There is no /mnt/disk2 to back up.'],
      ['WAL is missing from 0/3000000 on.', 'WAL is missing from 0/9000000 on.'],
    ] as const) {
      const repeated = new RepeatedNotifications();
      repeated.consider({ ...LATE, message: one }, at(0));
      assert.deepEqual(repeated.consider({ ...LATE, message: other }, at(1)), TOLD, other);
    }
  });

  test('is told anew after it went well in between', () => {
    const repeated = new RepeatedNotifications();
    const failed = { ...LATE, type: 'backup-failed' } as const;
    const completed = { ...LATE, type: 'backup-completed' } as const;
    repeated.consider(failed, at(0));
    repeated.consider(failed, at(1));
    for (const other of [{ subject: 'blog' }, { type: 'drill-completed' }] as const)
      repeated.consider({ ...completed, ...other }, at(2));
    assert.equal(repeated.consider(failed, at(3)).tell, false);
    assert.deepEqual(repeated.consider(completed, at(4)), TOLD);
    assert.deepEqual(repeated.consider(completed, at(4)), TOLD, 'what went well is told each time');
    assert.deepEqual(repeated.consider(failed, at(5)), { tell: true, heldBack: 2 });
    assert.equal(repeated.consider(failed, at(6)).tell, false);
  });

  test('is told where the clock was put back, rather than held back until it is there again', () => {
    const repeated = new RepeatedNotifications();
    repeated.consider(LATE, at(100_000));
    assert.deepEqual(repeated.consider(LATE, at(0)), TOLD);
  });

  test('has one type, one subject and one message', () => {
    const repeated = new RepeatedNotifications();
    repeated.consider(LATE, at(0));
    for (const other of [{ type: 'backup-failed' }, { subject: 'shop2' }, { message: 'It is away.' }] as const)
      assert.deepEqual(repeated.consider({ ...LATE, ...other }, at(1)), TOLD);
  });

  test('is forgotten where very much else is told, so that memory has a bound', () => {
    const repeated = new RepeatedNotifications();
    repeated.consider(LATE, at(0));
    for (let n = 0; n < 1000; n++) repeated.consider({ ...LATE, subject: `other${n}` }, at(1));
    assert.deepEqual(repeated.consider(LATE, at(2)), TOLD);
  });
});
