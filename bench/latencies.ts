export interface Latencies {
  count: number;
  p50: number;
  p99: number;
  /** milliseconds, all of them */
  most: number;
}

/** Summarises durations in milliseconds (nearest rank). */
export function summarise(milliseconds: readonly number[]): Latencies {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) };
}
