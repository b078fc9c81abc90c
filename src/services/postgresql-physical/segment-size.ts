/**
 * Bytes of the segments that relation files are cut into: the larger the cluster, the larger the segments, so that the index
 * stays within bounds (decision 17). A power of two, whole pages.
 *
 * @param clusterBytes of all tablespaces
 * @param earlier what the latest backup was cut by: kept until the cluster is twice as large as its step or a quarter, since
 * other segments are stored anew
 */
export function segmentBytesFor(clusterBytes: number, earlier?: number): number {
  const step = STEPS.findIndex(({ upTo }) => clusterBytes <= upTo);
  const kept = STEPS.findIndex(({ segmentBytes }) => segmentBytes === earlier);
  const fits = kept >= 0 && clusterBytes <= 2 * limit(kept) && clusterBytes > limit(kept - 1) / 4;
  return (STEPS[fits ? kept : step] ?? LARGEST).segmentBytes;
}

function limit(step: number): number {
  return STEPS[step]?.upTo ?? 0;
}

const KIB = 1024;
const GIB = 1024 ** 3;
const LARGEST = { upTo: Number.POSITIVE_INFINITY, segmentBytes: 256 * KIB };
const STEPS = [{ upTo: 64 * GIB, segmentBytes: 32 * KIB }, { upTo: 256 * GIB, segmentBytes: 128 * KIB }, LARGEST];

/** What is no relation (WAL, settings) is new or small: there is nothing to align. */
export const OTHER_SEGMENT_BYTES = 1024 * KIB;
