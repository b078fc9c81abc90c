import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { id, moment, queryTimestamp, timestamp, timeZone } from './fields.ts';

describe('fields of requests', () => {
  it('take times by RFC 3339 only, and bring them to UTC', () => {
    assert.equal(timestamp.parse('2025-01-01T12:30:00+02:00'), '2025-01-01T10:30:00.000Z');
    assert.equal(queryTimestamp.parse('2025-01-01T12:30:00 02:00'), '2025-01-01T10:30:00.000Z');
    for (const text of [
      'yesterday',
      '2025-01-01',
      '2025-13-01T00:00:00Z',
      '2025-02-30T00:00:00Z',
      '2025-01-01T12:00:00',
      '9999-12-31T23:59:59-01:00',
    ]) {
      assert.equal(timestamp.safeParse(text).success, false, text);
    }
  });

  it('leave a moment as it was written', () => {
    assert.equal(moment.parse('2025-01-01T12:30:00Z'), '2025-01-01T12:30:00Z');
    assert.equal(moment.safeParse('noon').success, false);
  });

  it('take ids that need no escaping anywhere', () => {
    for (const good of ['database-1', 'a', 'shop:orders@eu.1_x', 'x'.repeat(200)])
      assert.equal(id.safeParse(good).success, true);
    for (const bad of ['', 'a b', 'a/b', '../x', 'ü', 'a\n', 'x'.repeat(201)])
      assert.equal(id.safeParse(bad).success, false);
  });

  it('take time zones that exist', () => {
    assert.equal(timeZone.safeParse('Europe/Berlin').success, true);
    assert.equal(timeZone.safeParse('Europe/Atlantis').success, false);
  });
});
