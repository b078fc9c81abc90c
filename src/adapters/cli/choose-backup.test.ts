import assert from 'node:assert/strict';
import test from 'node:test';
import { typedEnd, typedMoment, typedTime } from './choose-backup.ts';
import { derivedResourceId } from './files-resource.ts';

test('times are read with their zone, or without one as local time', () => {
  assert.equal(typedTime('2026-01-31T12:30:00+02:00', '--at'), '2026-01-31T10:30:00.000Z');
  assert.equal(typedTime('2026-01-31 12:30', '--at'), new Date(2026, 0, 31, 12, 30).toISOString());
  assert.equal(typedTime('2026-01-31', '--at'), new Date(2026, 0, 31).toISOString());
  assert.equal(typedTime('2026-01-31 12:30:00Z', '--at'), '2026-01-31T12:30:00.000Z');
});

test('a moment keeps all digits that were typed, where its zone was typed too', () => {
  assert.equal(typedMoment('2026-01-31T12:30:00.123456+02:00', '--at'), '2026-01-31T12:30:00.123456+02:00');
  assert.equal(typedMoment('2026-01-31 12:30:00.1Z', '--at'), '2026-01-31T12:30:00.1Z');
  assert.throws(() => typedMoment('2026-13-31T12:30:00Z', '--at'), { code: 'usage-time-invalid' });
});

test('a time without a fraction names its whole second, as over HTTP', () => {
  assert.equal(typedEnd('2026-01-31T12:30:00Z', '--at'), '2026-01-31T12:30:00.999Z');
  assert.equal(typedEnd('2026-01-31T12:30:00.0Z', '--at'), '2026-01-31T12:30:00.000Z');
  assert.equal(typedEnd('2026-01-31 12:30', '--at'), new Date(2026, 0, 31, 12, 30, 0, 999).toISOString());
  assert.equal(typedEnd('2026-01-31 12:30:00.25', '--at'), new Date(2026, 0, 31, 12, 30, 0, 250).toISOString());
});

test('what is no time is refused with an example of one', () => {
  for (const typed of [
    'yesterday',
    '12:30',
    '2026-13-01',
    '1',
    '2026-02-30',
    '2026-02-30 12:00',
    '2026-01-31T12:30:00+2',
  ]) {
    assert.throws(() => typedTime(typed, '--at'), { code: 'usage-time-invalid', message: /2026-01-31T12:30:00Z/ });
  }
});

test('a local time whose year has not four digits in UTC is refused as one that is none', (t) => {
  const zone = process.env.TZ;
  t.after(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });
  for (const [inZone, typed] of [
    ['Asia/Tokyo', '0000-01-01'],
    ['America/New_York', '9999-12-31 23:59'],
  ] as const) {
    process.env.TZ = inZone;
    for (const read of [typedTime, typedEnd])
      assert.throws(() => read(typed, '--at'), { code: 'usage-time-invalid' }, inZone);
  }
});

test("a resource's id is made of host and paths, of the characters that ids may have", () => {
  assert.equal(derivedResourceId(['/srv/my shop'], 'web 1'), 'files-web-1-srv-my-shop');
  assert.equal(derivedResourceId(['/'], 'h'), 'files-h-root');
  assert.equal(derivedResourceId(['/etc', '/srv'], 'h'), 'files-h-etc-srv');
  assert.throws(() => derivedResourceId(['/x'.repeat(200)], 'h'), { code: 'usage-resource-missing' });
});
