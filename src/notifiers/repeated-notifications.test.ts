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

  test('may have other numbers in its message', () => {
    const repeated = new RepeatedNotifications();
    repeated.consider(LATE, at(0));
    const later = { ...LATE, message: 'The stored WAL is 25000000 bytes behind.' };
    assert.equal(repeated.consider(later, at(1)).tell, false);
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
