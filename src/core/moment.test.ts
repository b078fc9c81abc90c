import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readMoment } from './moment.ts';

const digits = (from: number, to: number, length = 2) =>
  fc.integer({ min: from, max: to }).map((number) => String(number).padStart(length, '0'));
const date = fc
  .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9998-12-31T00:00:00Z'), noInvalidDate: true })
  .map((day) => day.toISOString().slice(0, 10));
const clock = fc.tuple(digits(0, 23), digits(0, 59), digits(0, 59)).map((parts) => parts.join(':'));
const fraction = fc.stringMatching(/^(\.[0-9]{1,12})?$/);
const zone = fc.oneof(
  fc.constantFrom('Z', 'z'),
  fc.tuple(fc.constantFrom('+', '-'), digits(0, 23), digits(0, 59)).map(([sign, h, m]) => `${sign}${h}:${m}`),
);
const written = fc.tuple(date, fc.constantFrom('T', 't'), clock, fraction, zone);

describe('a moment', () => {
  it('is what RFC 3339 says, whatever its zone and its digits', () => {
    fc.assert(
      fc.property(written, ([day, t, time, part, offset]) => {
        const text = `${day}${t}${time}${part}${offset}`;
        const expected = Temporal.Instant.from(`${day}T${time}${part.slice(0, 10)}${offset}`);
        const moment = readMoment(text);
        assert.equal(moment?.milliseconds, expected.epochMilliseconds);
        const whole = part === '' ? expected.add({ milliseconds: 999 }) : expected;
        assert.equal(moment.lastMillisecond, whole.epochMilliseconds);
        // What a service is handed is the moment itself, to the microsecond.
        const microseconds = expected.round({ smallestUnit: 'microsecond', roundingMode: 'floor' });
        assert.ok(Temporal.Instant.from(moment.written).equals(microseconds));
        assert.ok(text.startsWith(moment.written.slice(0, 19)) && moment.written.endsWith(offset));
      }),
    );
  });

  it('is none where anything is missing, too much or not in a calendar', () => {
    for (const text of [
      ...['', '1', 'noon', 'latest', '2026-01-31', '2026-01-31T12:30Z', '2026-01-31 12:30:00Z', '2026-01-31T12:30:00'],
      ...['2026-02-30T12:00:00Z', '2025-02-29T12:00:00Z', '2026-13-01T12:00:00Z', '2026-00-10T12:00:00Z'],
      ...['2026-01-31T24:00:00Z', '2026-01-31T12:60:00Z', '2026-12-31T23:59:60Z', '2026-01-31T12:30:00.Z'],
      ...['2026-01-31T12:30:00,5Z', '2026-01-31T12:30:00+02', '2026-01-31T12:30:00+0200', '2026-01-31T12:30:00+24:00'],
      ...[
        '0000-01-01T00:00:00+01:00',
        '9999-12-31T23:59:59-00:01',
        '+012026-01-31T12:30:00Z',
        '2026-01-31T12:30:00Z\n',
      ],
    ])
      assert.equal(readMoment(text), undefined, text);
  });

  it('is never the engine’s guess: one changed character makes another moment or none', () => {
    const character = fc.constantFrom(...'0123456789-:.,+TZtz \n(a');
    fc.assert(
      fc.property(written, fc.nat(40), fc.option(character), (parts, place, other) => {
        const text = parts.join('');
        const changed = `${text.slice(0, place)}${other ?? ''}${text.slice(place + 1)}`;
        const moment = readMoment(changed);
        if (moment === undefined) return;
        assert.equal(
          moment.milliseconds,
          Temporal.Instant.from(changed.replace(/(\.\d{9})\d+/, '$1')).epochMilliseconds,
        );
      }),
    );
  });
});
