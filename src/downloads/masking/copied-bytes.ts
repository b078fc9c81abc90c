import type { ViewedBytes } from './byte-values.ts';

/** Bytes of which eight are moved in one go: a load and a store, as 64-bit integers of DataViews never become objects in optimised code. */
const WORD = 8;
/** Bytes from which on a call costs less than a loop. */
const LONG = 256;

/**
 * Writes a part of some bytes to others; the position after it. Of a short part up to seven bytes more are written, where there is room for them: what comes next must be
 * written behind it.
 */
export function copied(source: ViewedBytes, from: number, to: number, target: ViewedBytes, at: number): number {
  const length = to - from;
  if (length > LONG) source.bytes.copy(target.bytes, at, from, to);
  else if (length >= WORD) {
    const [read, written] = [source.view, target.view];
    const last = length - WORD;
    for (let done = 0; done < last; done += WORD)
      written.setBigInt64(at + done, read.getBigInt64(from + done, true), true);
    // The last eight bytes, of which some were written already.
    written.setBigInt64(at + last, read.getBigInt64(from + last, true), true);
  } else if (from + WORD <= source.view.byteLength && at + WORD <= target.view.byteLength)
    // Without a branch for each byte: mostly what stands between two fields, or a name.
    target.view.setBigInt64(at, source.view.getBigInt64(from, true), true);
  else {
    const [read, written] = [source.bytes, target.bytes];
    for (let done = 0; done < length; done++) written[at + done] = read[from + done] as number;
  }
  return at + length;
}
