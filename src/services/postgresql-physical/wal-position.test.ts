import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatLsn,
  kindOfWalFile,
  parseHistory,
  parseLsn,
  segmentName,
  segmentStart,
  startOfSegment,
} from './wal-position.ts';

const MIB = 1024 * 1024;

test('a position is written as PostgreSQL writes it, and read again', () => {
  assert.equal(formatLsn(0x16_b374_d848n), '16/B374D848');
  fc.assert(fc.property(fc.bigInt(0n, (1n << 64n) - 1n), (lsn) => parseLsn(formatLsn(lsn)) === lsn));
  for (const text of ['', '0', '0/', '0/G', '123456789/0', '-1/0'])
    assert.throws(() => parseLsn(text), { code: 'wal-position-invalid' });
});

test('segments have the names that pg_walfile_name gives, whatever their size', () => {
  assert.equal(segmentName(1, parseLsn('0/3000148'), 16 * MIB), '000000010000000000000003');
  assert.equal(segmentName(11, parseLsn('16/B374D848'), 16 * MIB), '0000000B00000016000000B3');
  assert.equal(segmentName(1, parseLsn('1/0'), MIB), '000000010000000100000000');
  assert.equal(segmentName(1, parseLsn('0/FFFFFFFF'), MIB), '000000010000000000000FFF');
  assert.equal(segmentName(1, parseLsn('2/40000000'), 1024 * MIB), '000000010000000200000001');
});

test('a name leads back to where its segment begins', () => {
  const size = fc.constantFrom(MIB, 16 * MIB, 64 * MIB, 1024 * MIB);
  fc.assert(
    fc.property(
      size,
      fc.bigInt(0n, (1n << 63n) - 1n),
      fc.integer({ min: 1, max: 0x7fff_ffff }),
      (bytes, lsn, timeline) => {
        const start = startOfSegment(lsn, bytes);
        assert.deepEqual(segmentStart(segmentName(timeline, lsn, bytes), bytes), { timeline, start });
      },
    ),
  );
});

test('files of the WAL are known by their names, and nothing else is', () => {
  assert.equal(kindOfWalFile('000000010000000000000003'), 'segment');
  assert.equal(kindOfWalFile('000000010000000000000003.partial'), 'partial-segment');
  assert.equal(kindOfWalFile('00000002.history'), 'history');
  assert.equal(kindOfWalFile('000000010000000000000003.00000028.backup'), 'backup-label');
  for (const name of ['', '../000000010000000000000003', '00000001000000000000000g', '2.history', 'RECOVERYXLOG'])
    assert.equal(kindOfWalFile(name), undefined);
});

test('a history names the timelines and where each was left, whatever the reasons say', () => {
  const text = '1\t0/3000148\tno recovery target specified\n\n2\t0/5000000\tat restore point "\uFFFD"\n# note\n';
  assert.deepEqual(parseHistory(text), [
    { timeline: 1, end: 0x300_0148n },
    { timeline: 2, end: 0x500_0000n },
  ]);
});
