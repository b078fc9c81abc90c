import type { ViewedBytes } from './byte-values.ts';

/** Bytes of which eight are moved in one go: a load and a store, as 64-bit integers of DataViews never become objects in optimised code. */
const WORD = 8;
/** Bytes from which on a call costs less than a loop. */
const LONG = 256;

/** Writes a part of some bytes to others; the position after it. */
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
  } else {
    const [read, written] = [source.bytes, target.bytes];
    for (let done = 0; done < length; done++) written[at + done] = read[from + done] as number;
  }
  return at + length;
}
