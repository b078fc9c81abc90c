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
    // Each in memory of its own, which is taken from whoever was given it.
    const block = copied(held, 0, whole);
    held = [copied(held, whole, length)];
    length -= whole;
    whole = 0;
    yield block;
  }
  if (length > 0) yield copied(held, 0, length);
}

/** @returns `end`: behind the last line break that ends a record; 0 where there is none */
function lastRecordEnd(piece: Uint8Array, quote: number | undefined, isInside: boolean) {
  if (quote === undefined) return { end: piece.lastIndexOf(LINE_FEED) + 1, isInsideAfter: false };
  let quotes = isInside ? 1 : 0;
  for (let at = 0; at < piece.length; at++) if (piece[at] === quote) quotes++;
  // Backwards, since what counts is mostly near the end.
  let after = quotes;
  for (let at = piece.length - 1; at >= 0; at--) {
    const byte = piece[at];
    if (byte === quote) after--;
    else if (byte === LINE_FEED && after % 2 === 0) return { end: at + 1, isInsideAfter: quotes % 2 === 1 };
  }
  return { end: 0, isInsideAfter: quotes % 2 === 1 };
}

function copied(pieces: readonly Uint8Array[], from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(to - from);
  let at = 0;
  for (const piece of pieces) {
    const [begin, end] = [Math.max(from, at), Math.min(to, at + piece.length)];
    if (begin < end) copy.set(piece.subarray(begin - at, end - at), begin - from);
    at += piece.length;
  }
  return copy;
}

function recordTooLong(): HoldfastError {
  return new HoldfastError(
    'invalid',
    'variant-failed',
    'A line or record of it is longer than 64 MiB, or a quote is never closed.',
  );
}
