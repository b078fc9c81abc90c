import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NamePattern } from './name-pattern.ts';

function timeIn(pattern: string, name: string, timeZone = 'UTC'): string | undefined | false {
  const match = new NamePattern(pattern, timeZone).match(name);
  return match === false ? false : match.time?.toISOString();
}

describe('the pattern of a backup’s name', () => {
  it('reads the time out of the name, in the time zone of whoever wrote it', () => {
    const pattern = 'shop-{yyyy}-{MM}-{dd}T{HH}{mm}.sql.gpg';
    assert.equal(timeIn(pattern, 'shop-2026-11-20T0300.sql.gpg'), '2026-11-20T03:00:00.000Z');
    assert.equal(timeIn(pattern, 'shop-2026-11-20T0300.sql.gpg', 'Asia/Bangkok'), '2026-11-19T20:00:00.000Z');
    assert.equal(timeIn(pattern, 'shop-2026-07-01T0300.sql.gpg', 'Europe/Berlin'), '2026-07-01T01:00:00.000Z');
    assert.equal(timeIn('db.{epoch}.gz', 'db.1790000000.gz'), new Date(1_790_000_000_000).toISOString());
  });

  it('matches whole names only, and nothing that is no date', () => {
    assert.equal(timeIn('shop-{yyyy}{MM}{dd}.sql', 'shop-20261120.sql.tmp'), false);
    assert.equal(timeIn('shop-{yyyy}{MM}{dd}.sql', 'x/shop-20261120.sql'), false);
    assert.equal(timeIn('shop-{yyyy}{MM}{dd}.sql', 'shop-20261320.sql'), false);
    assert.equal(timeIn('shop-{yyyy}{MM}{dd}.sql', 'shop-20260230.sql'), false);
    assert.equal(timeIn('shop.{yyyy}{MM}{dd}.sql', 'shopx20261120.sql'), false, 'a dot is a dot');
  });

  it('knows folders of a retained set, and a part of the time that is in the folder as well', () => {
    assert.equal(timeIn('*/shop-{yyyy}{MM}{dd}.sql', 'weekly/shop-20261120.sql'), '2026-11-20T00:00:00.000Z');
    assert.equal(timeIn('*/shop-{yyyy}{MM}{dd}.sql', 'a/b/shop-20261120.sql'), false);
    assert.equal(timeIn('**/shop-{yyyy}{MM}{dd}.sql', 'a/b/shop-20261120.sql'), '2026-11-20T00:00:00.000Z');
    assert.equal(timeIn('**/shop-{yyyy}{MM}{dd}.sql', 'shop-20261120.sql'), '2026-11-20T00:00:00.000Z');
    assert.equal(timeIn('{yyyy}/shop-{yyyy}{MM}{dd}.sql', '2026/shop-20261120.sql'), '2026-11-20T00:00:00.000Z');
    assert.equal(timeIn('{yyyy}/shop-{yyyy}{MM}{dd}.sql', '2025/shop-20261120.sql'), false);
  });

  it('leaves the time to the object where the name has none, and takes no half of one', () => {
    assert.equal(timeIn('*.sql.gpg', 'latest.sql.gpg'), undefined);
    assert.equal(timeIn('plain', 'plain'), undefined);
    assert.throws(() => new NamePattern('shop-{yyyy}-{MM}.sql', 'UTC'), /needs \{yyyy\}/);
    assert.throws(() => new NamePattern('shop-{year}.sql', 'UTC'), /\{year\}/);
    assert.throws(() => new NamePattern('shop-{yyyy}{MM}{dd}', 'Mars/Olympus'), RangeError);
  });
});
