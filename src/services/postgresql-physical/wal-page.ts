import { HoldfastError } from '../../core/errors.ts';
import { formatLsn, type Lsn } from './wal-position.ts';

/** What the first page of each segment says (`XLogLongPageHeaderData` in PostgreSQL's `xlog_internal.h`). */
export interface SegmentHeader {
  timeline: number;
  start: Lsn;
  systemIdentifier: string;
  segmentBytes: number;
}

export const SEGMENT_HEADER_BYTES = 40;
const IS_LONG = 0x2;

/**
 * Reads the header of a segment's first page. Servers write it in the byte order of their machine.
 * @returns undefined where the bytes are no such header
 */
export function readSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const little of [true, false]) {
    if (view.getUint16(0, little) >> 8 !== 0xd1 || (view.getUint16(2, little) & IS_LONG) === 0) continue;
    return {
      timeline: view.getUint32(4, little),
      start: view.getBigUint64(8, little),
      systemIdentifier: String(view.getBigUint64(24, little)),
      segmentBytes: view.getUint32(32, little),
    };
  }
  return undefined;
}

/** @throws HoldfastError `wal-segment-foreign` (invalid): these bytes are not what they are said to be */
export function requireSegmentHeader(bytes: Uint8Array, name: string, expected: Omit<SegmentHeader, 'timeline'>): void {
  const found = readSegmentHeader(bytes);
  const problem = problemOf(found, expected);
  if (problem === undefined) return;
  throw new HoldfastError(
    'invalid',
    'wal-segment-foreign',
    `The WAL segment ${name} ${problem}. Nothing was done with it. See whether this is the right server, and whether its disk is sound.`,
    { details: { segment: name } },
  );
}

function problemOf(found: SegmentHeader | undefined, expected: Omit<SegmentHeader, 'timeline'>): string | undefined {
  if (found === undefined) return 'does not begin as a segment does';
  if (found.systemIdentifier !== expected.systemIdentifier)
    return `is of the cluster ${found.systemIdentifier}, not of ${expected.systemIdentifier}`;
  if (found.start !== expected.start)
    return `begins with ${formatLsn(found.start)} instead of ${formatLsn(expected.start)}`;
  if (found.segmentBytes !== expected.segmentBytes)
    return `says that segments have ${found.segmentBytes} bytes instead of ${expected.segmentBytes}`;
  return undefined;
}
