import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { LogPiece, LogReading } from '../../core/ports/resource-log.ts';
import { isPassed } from './log-moments.ts';
import { newSegmentPiece } from './wal-pieces.ts';

const SEGMENT = 1 << 20;
const PAGE = 8192;
const EPOCH = 946_684_800_000n;
const COMMITTED = '2026-05-01T12:00:00.000Z';
const BEFORE = '2026-05-01T11:59:59.000Z';
const STORED = '2026-05-01T12:00:01.000Z';

test('a commit passes a moment wherever it stands, also across two segments', async () => {
  const { length } = commit();
  for (const bytesOfFirst of [0, 8, 24, 32, Math.ceil(length / 8) * 8]) {
    const log = logOf(SEGMENT - bytesOfFirst);
    assert.equal(
      await isPassed(log, BEFORE, new AbortController().signal),
      true,
      `${bytesOfFirst} bytes in the first one`,
    );
    assert.equal(await isPassed(log, COMMITTED, new AbortController().signal), false);
  }
});

test('a commit of which the log has no more than the beginning passes nothing', async () => {
  const log = logOf(SEGMENT - 8, { segments: 1 });
  assert.equal(await isPassed(log, BEFORE, new AbortController().signal), false);
});

test('a log that is gone when it is looked at again passes nothing', async () => {
  const log = logOf(SEGMENT - 8);
  let isGone = false;
  const vanishing: LogReading = {
    ...log,
    pieces: async () => (isGone ? [] : log.pieces()),
    open: () => {
      isGone = true;
      throw new HoldfastError('not-found', 'snapshot-not-found', 'It was cleaned up.');
    },
  };
  assert.equal(await isPassed(vanishing, BEFORE, new AbortController().signal), false);
});

/** Two segments with one record in them, which begins at a byte of the first one, or right behind it. */
function logOf(at: number, { segments = 2 } = {}): LogReading {
  const wal = Buffer.alloc(2 * SEGMENT);
  let rest = commit();
  for (let page = 0; page < wal.length; page += PAGE) {
    const header = page % SEGMENT === 0 ? 40 : 24;
    const isWithin = rest.length < commit().length;
    wal.writeUInt16LE(0xd110, page);
    wal.writeUInt16LE((header === 40 ? 2 : 0) | (isWithin && rest.length > 0 ? 1 : 0), page + 2);
    wal.writeUInt32LE(1, page + 4);
    wal.writeBigUInt64LE(BigInt(page), page + 8);
    if (isWithin) wal.writeUInt32LE(rest.length, page + 16);
    if (header === 40) {
      wal.writeBigUInt64LE(7n, page + 24);
      wal.writeUInt32LE(SEGMENT, page + 32);
      wal.writeUInt32LE(PAGE, page + 36);
    }
    // Records stand right behind each other.
    const before = at - (page + header);
    if (before > 0 && before <= PAGE) wal.writeUInt32LE(before, page + header);
    const from = isWithin ? page + header : Math.max(at, page + header);
    if (from >= page + PAGE) continue;
    const written = rest.copy(wal, from, 0, Math.min(rest.length, page + PAGE - from));
    rest = rest.subarray(written);
  }
  const pieces = Array.from({ length: segments }, (_, index): LogPiece => {
    const range = { start: BigInt(index * SEGMENT), end: BigInt((index + 1) * SEGMENT) };
    const about = { timeline: 1, systemIdentifier: '7', segmentBytes: SEGMENT, level: 0, isPartial: false };
    const { content: _none, ...piece } = newSegmentPiece({ ...about, ...range }, []);
    return { ...piece, id: `${index}`, size: SEGMENT, createdAt: STORED, completedAt: STORED };
  });
  return {
    pieces: async () => pieces,
    read: () => assert.fail('no piece is read whole'),
    open: async ({ id }) => readerOf(wal.subarray(Number(id) * SEGMENT, (Number(id) + 1) * SEGMENT)),
  };
}

function readerOf(bytes: Buffer): SnapshotReader {
  const reader: Partial<SnapshotReader> = {
    async *read(_content, { offset, length } = { offset: 0, length: bytes.length }) {
      for (let at = offset; at < offset + length; at += 5000)
        yield bytes.subarray(at, Math.min(at + 5000, offset + length));
    },
    close: async () => undefined,
  };
  return reader as SnapshotReader;
}

/** `XLogRecord` of a commit (`xact.h`), and its time. */
function commit(): Buffer {
  const record = Buffer.alloc(24 + 2 + 8);
  record.writeUInt32LE(record.length);
  record.writeUInt8(0x00, 16);
  record.writeUInt8(1, 17);
  record.writeUInt8(255, 24);
  record.writeUInt8(8, 25);
  record.writeBigInt64LE((BigInt(Date.parse(COMMITTED)) - EPOCH) * 1000n, 26);
  return record;
}
