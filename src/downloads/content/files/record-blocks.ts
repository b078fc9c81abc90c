import { HoldfastError } from '../../../core/errors.ts';

/** Bytes. */
const BLOCK = 256 << 10;
const LONGEST_RECORD = 64 << 20;
const LINE_FEED = 0x0a;

/**
 * Cuts lines, or records of CSV, into blocks of whole ones. Of quotes only their number counts: as long as records are as they should be, a line break ends one exactly where it
 * stands behind an even number of them; whoever reads the blocks finds the others.
 * @param quote of CSV, a byte; undefined: each line is a record
 * @param shortest of a block, in bytes, unless it is the last
 */
export async function* recordBlocks(
  bytes: AsyncIterable<Uint8Array>,
  quote: number | undefined,
  shortest = BLOCK,
): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let length = 0;
  /** Of the held bytes, those before the end of the last whole record. */
  let whole = 0;
  let isInside = false;
  for await (const piece of bytes) {
    const { end, isInsideAfter } = lastRecordEnd(piece, quote, isInside);
    isInside = isInsideAfter;
    if (end > 0) whole = length + end;
    held.push(piece);
    length += piece.length;
    if (length - whole > LONGEST_RECORD) throw recordTooLong();
    if (length < shortest || whole === 0) continue;
    const all = Buffer.concat(held, length);
    // The memory of what is given may be taken.
    held = [Uint8Array.prototype.slice.call(all, whole)];
    length -= whole;
    const block = all.subarray(0, whole);
    whole = 0;
    yield block;
  }
  if (length > 0) yield Buffer.concat(held, length);
}

/** @returns `end`: behind the last line break that ends a record; 0 where there is none */
function lastRecordEnd(piece: Uint8Array, quote: number | undefined, isInside: boolean) {
  if (quote === undefined) return { end: piece.lastIndexOf(LINE_FEED) + 1, isInsideAfter: false };
  let [end, isInsideAfter, at] = [0, isInside, 0];
  while (at <= piece.length) {
    const found = piece.indexOf(quote, at);
    const next = found < 0 ? piece.length : found;
    if (!isInsideAfter) {
      const newline = next === 0 ? -1 : piece.lastIndexOf(LINE_FEED, next - 1);
      if (newline >= at) end = newline + 1;
    }
    if (found < 0) break;
    isInsideAfter = !isInsideAfter;
    at = found + 1;
  }
  return { end, isInsideAfter };
}

function recordTooLong(): HoldfastError {
  return new HoldfastError(
    'invalid',
    'variant-failed',
    'A line or record of it is longer than 64 MiB, or a quote is never closed.',
  );
}
