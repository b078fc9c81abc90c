import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DrillChecks } from '../src/core/drill-checks.ts';
import type { LogPiece, LogReading } from '../src/core/ports/resource-log.ts';
import { checkLog } from '../src/services/postgresql-physical/log-drill.ts';
import type { RecordedCluster } from '../src/services/postgresql-physical/recorded-cluster.ts';
import { newSegmentPiece } from '../src/services/postgresql-physical/wal-pieces.ts';
import { formatLsn } from '../src/services/postgresql-physical/wal-position.ts';
import { TemporaryResourceLog } from './temporary-resource-log.ts';

const SEGMENT = 1024 * 1024;

/** A segment that begins as servers begin one. */
function segment(number: number): Buffer {
  const bytes = Buffer.alloc(SEGMENT, number);
  bytes.writeUInt16LE(0xd110, 0);
  bytes.writeUInt16LE(2, 2);
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(BigInt(number * SEGMENT), 8);
  bytes.writeBigUInt64LE(7n, 24);
  bytes.writeUInt32LE(SEGMENT, 32);
  return bytes;
}

describe('the check of a log in a drill', () => {
  let kept: TemporaryResourceLog;
  beforeEach(async () => {
    kept = await TemporaryResourceLog.create({});
  });
  afterEach(() => kept.remove());

  const store = (number: number, from = 0, to = SEGMENT): Promise<LogPiece> => {
    const [start, end] = [BigInt(number * SEGMENT + from), BigInt(number * SEGMENT + to)];
    const about = {
      timeline: 1,
      systemIdentifier: '7',
      segmentBytes: SEGMENT,
      level: 0,
      isPartial: to - from < SEGMENT,
    };
    return kept.log.append(newSegmentPiece({ ...about, start, end }, [segment(number).subarray(from, to)]));
  };
  /** Of a backup from one segment to another. */
  const judge = async (first: number, last: number, log: LogReading = kept.log) => {
    const checks = new DrillChecks();
    const lsn = (number: number) => formatLsn(BigInt(number * SEGMENT + 4096));
    const cluster = { timeline: 1, startLsn: lsn(first), stopLsn: lsn(last), walSegmentBytes: SEGMENT };
    const context = { log, checks, signal: new AbortController().signal, report: () => undefined };
    await checkLog(context, cluster as RecordedCluster);
    const [{ outcome, found }] = checks.made as [(typeof checks.made)[number]];
    return { outcome, found };
  };

  test('reads all of it from the segment in which the backup begins', async () => {
    for (const number of [1, 2, 3]) await store(number);
    await store(4, 0, 5000);
    assert.deepEqual(await judge(2, 2), {
      outcome: 'passed',
      found: `3 segments, ${2 * SEGMENT + 5000} bytes, up to 0/401388`,
    });
  });

  test('reads a log that was begun while the backup was made from its beginning on', async () => {
    for (const number of [3, 4, 5]) await store(number);
    assert.deepEqual(await judge(2, 4), {
      outcome: 'passed',
      found: `3 segments, ${3 * SEGMENT} bytes, up to 0/600000`,
    });
  });

  test('does not apply where the log holds nothing that follows the backup', async () => {
    await store(2, 0, 4096);
    assert.equal((await judge(2, 2)).outcome, 'not-applicable');
    await store(4);
    assert.equal((await judge(1, 1)).outcome, 'not-applicable');
  });

  test('fails where the log was kept before the backup, and what follows it right away is missing', async () => {
    for (const number of [1, 2, 4]) await store(number);
    const { outcome, found } = await judge(3, 3);
    assert.equal(outcome, 'failed');
    assert.match(found, /^The WAL from 0\/301000 to 0\/400000, right after this backup, is not in the log/);
  });

  test('finds what holds the bytes of pieces that are replaced while it reads', async () => {
    const partial = [await store(2, 0, 5000), await store(2, 5000, 9000)];
    let lists = 0;
    const log: LogReading = {
      open: (piece) => kept.log.open(piece),
      read: (piece) => kept.log.read(piece),
      pieces: async () => {
        const pieces = await kept.log.pieces();
        if (lists++ === 0) {
          await store(2);
          await kept.log.remove(partial);
        }
        return pieces;
      },
    };
    assert.deepEqual(await judge(2, 2, log), {
      outcome: 'passed',
      found: `1 segments, ${SEGMENT} bytes, up to 0/300000`,
    });
    assert.equal(lists, 2);
  });
});
