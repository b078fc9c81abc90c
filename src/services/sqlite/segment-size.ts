/**
 * Bytes of the segments that a database of a length is stored in, at least a page: the larger the database, the larger the
 * segments, so that the index stays within bounds (decision 15). A power of two, as pages are.
 */
export function segmentBytesFor(length: number, pageSize: number): number {
  const { segmentBytes } = STEPS.find(({ upTo }) => length <= upTo) ?? LARGEST;
  return Math.max(segmentBytes, pageSize);
}

const KIB = 1024;
const GIB = 1024 ** 3;
const STEPS = [
  { upTo: 2 * GIB, segmentBytes: 4 * KIB },
  { upTo: 16 * GIB, segmentBytes: 16 * KIB },
  { upTo: 128 * GIB, segmentBytes: 64 * KIB },
];
const LARGEST = { segmentBytes: 256 * KIB };
