import { FOLDED_FROM, foldedForCrc32c } from './crc32c-folding.ts';

/**
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4), as PostgreSQL's backup manifests have it: reflected, begun with all ones and inverted at
 * the end. Long runs of bytes are first made short ones (`crc32c-folding.ts`). Then sixteen bytes at a time by tables ("slicing-by-16",
 * after Kounavis and Berry, 2008), for which the bytes' begin must be a multiple of 4 in their buffer to be fast.
 *
 * @param before the CRC of what comes before, 0 for nothing
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const folded = bytes.length < FOLDED_FROM ? undefined : foldedForCrc32c(bytes, ~before);
  return folded === undefined ? ~byTables(bytes, ~before) >>> 0 : ~byTables(folded, 0) >>> 0;
}

function byTables(bytes: Uint8Array, state: number): number {
  const { byteOffset, length } = bytes;
  const wholeWords = isLittleEndian && byteOffset % 4 === 0 ? (length >>> 4) << 2 : 0;
  let crc = state;
  if (wholeWords > 0) crc = ofWords(new Int32Array(bytes.buffer, byteOffset, wholeWords), crc);
  for (let at = wholeWords << 2; at < length; at++)
    crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[at] as number)) & 255] as number);
  return crc;
}

/** The CRC of two runs of bytes, one after the other, by their own CRCs and the length of the second. */
export function joinedCrc32c(first: number, second: number, secondBytes: number): number {
  let shift = ONE;
  let square = BYTE;
  for (let left = secondBytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = product(shift, square);
    square = product(square, square);
  }
  return (product(first, shift) ^ second) >>> 0;
}

function ofWords(words: Int32Array, begin: number): number {
  const tables = TABLES;
  let crc = begin;
  for (let at = 0; at < words.length; at += 4) {
    const a = (words[at] as number) ^ crc;
    const b = words[at + 1] as number;
    const c = words[at + 2] as number;
    const d = words[at + 3] as number;
    crc =
      (tables[3840 | (a & 255)] as number) ^
      (tables[3584 | ((a >>> 8) & 255)] as number) ^
      (tables[3328 | ((a >>> 16) & 255)] as number) ^
      (tables[3072 | (a >>> 24)] as number) ^
      (tables[2816 | (b & 255)] as number) ^
      (tables[2560 | ((b >>> 8) & 255)] as number) ^
      (tables[2304 | ((b >>> 16) & 255)] as number) ^
      (tables[2048 | (b >>> 24)] as number) ^
      (tables[1792 | (c & 255)] as number) ^
      (tables[1536 | ((c >>> 8) & 255)] as number) ^
      (tables[1280 | ((c >>> 16) & 255)] as number) ^
      (tables[1024 | (c >>> 24)] as number) ^
      (tables[768 | (d & 255)] as number) ^
      (tables[512 | ((d >>> 8) & 255)] as number) ^
      (tables[256 | ((d >>> 16) & 255)] as number) ^
      (tables[d >>> 24] as number);
  }
  return crc;
}

/** Of two polynomials modulo the CRC's own; reflected, so that bit 31 is the coefficient of 1. */
function product(one: number, other: number): number {
  let sum = 0;
  let factor = other;
  for (let bit = 31; bit >= 0; bit--) {
    if ((one >>> bit) & 1) sum ^= factor;
    factor = timesX(factor);
  }
  return sum;
}

function timesX(factor: number): number {
  return factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1;
}

/** 0x1EDC6F41, reflected */
const POLYNOMIAL = 0x82f63b78;
const ONE = 0x80000000;
/** x^8: what one byte more multiplies by. */
const BYTE = 0x00800000;
const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The first is that of a byte, each further one that of a byte which one more byte follows. */
const TABLES = tables();

function tables(): Int32Array {
  const made = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = timesX(crc);
    made[byte] = crc;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256] as number;
    made[at] = (before >>> 8) ^ (made[before & 255] as number);
  }
  return made;
}
